"""The studio's page of voices in Chromium: hear one, teach it a word, hear the difference."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live.studio import Studio
from tests.live.viewing import open_page

pytestmark = pytest.mark.live

# A reading twice as long as the word: its sound must be longer too.
WORD, READING = "长龙", "zhang3 long2 zhang3 long2"


def test_a_word_is_heard_as_the_list_says(studio: Studio, browser: Browser) -> None:
    page = _open_voices(studio, browser)
    expect(page.get_by_test_id("voice-advice")).to_be_visible()
    page.get_by_test_id("dismiss-advice").click()
    expect(page.get_by_test_id("voice-advice")).to_have_count(0)
    before = _listen(page)

    _teach(page, "zhang3 long7")
    expect(page.get_by_role("alert")).to_contain_text("long7 不是拼音")
    _teach(page, READING)
    expect(page.get_by_test_id("word")).to_have_count(1)
    after = _listen(page)

    # 16 bits at 22 kHz: at least a quarter of a second more.
    assert after > before + 11_025
    page.close()


def _open_voices(studio: Studio, browser: Browser) -> Page:
    platform = studio.platform
    page = open_page(browser, f"{platform.base_url}/studio/sign-in/?next=/studio/voices/")
    page.evaluate("localStorage.setItem('livestudio.language', 'zh-CN')")
    page.reload()
    page.get_by_test_id("username").fill(platform.name)
    page.get_by_test_id("password").fill(platform.password)
    page.get_by_test_id("sign-in").click()
    page.wait_for_url("**/studio/voices/")
    return page


def _listen(page: Page) -> int:
    """Press the button of the first Chinese voice; the bytes that it plays."""
    group = page.locator("[data-language=zh-CN]")
    group.get_by_test_id("audition-text").fill(WORD)
    button = group.get_by_test_id("listen").first
    with page.expect_response("**/preview/") as answer:
        button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert answer.value.header_value("content-type") == "audio/wav"
    # The sound ends by itself: it was really played.
    expect(button).to_have_attribute("aria-pressed", "false", timeout=60_000)
    return int(answer.value.header_value("content-length") or 0)


def _teach(page: Page, reading: str) -> None:
    page.get_by_test_id("word-text").fill(WORD)
    page.get_by_test_id("word-reading").fill(reading)
    page.get_by_test_id("word-add").click()
