"""The rundown in the show editor as a host uses it: cues are moved, added, taken away and saved."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator

from tests.live.studio import Studio

pytestmark = [pytest.mark.live, pytest.mark.long]


def texts(cues: Locator) -> list[str]:
    """The cues from top to bottom; their numbers have to follow."""
    count = cues.count()
    assert [cues.nth(n).locator("[name$='-position']").input_value() for n in range(count)] == [
        str(n) for n in range(count)
    ]
    return [cues.nth(n).locator("textarea[name$='-text']").input_value() for n in range(count)]


def test_host_moves_adds_and_takes_away_cues(studio: Studio, browser: Browser) -> None:
    platform = studio.platform
    show = studio.make_small_show("one", "two", "three")
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(60_000)
    page.goto(f"{platform.base_url}/admin/login/?next=/admin/streams/show/{show}/change/")
    page.fill("[name=username]", platform.name)
    page.fill("[name=password]", platform.password)
    page.click("[type=submit]")
    cues = page.locator("#cues-group .inline-related:not(.empty-form)")
    cues.first.locator(".move-up").wait_for()

    cues.nth(1).locator(".move-up").click()
    assert texts(cues) == ["two", "one", "three"]
    # It cannot go further up: the focus stays with the cue.
    assert page.evaluate("document.activeElement.className").endswith("move-down")
    for number, text in ((3, "four"), (4, "five")):
        page.locator("#cues-group .add-row a").click()
        cues.nth(number).locator("textarea[name$='-text']").fill(text)
    cues.nth(4).locator(".move-up").click()
    cues.nth(3).locator(".move-up").click()
    assert texts(cues) == ["two", "one", "five", "three", "four"]
    # Django numbers all fields anew now, and must find the saved cues first.
    cues.nth(4).locator(".inline-deletelink").click()
    cues.nth(4).wait_for(state="detached")
    cues.nth(3).locator("[name$='-kind']").select_option("pause")
    assert not cues.nth(3).locator("textarea[name$='-text']").is_visible()
    cues.nth(3).locator("[name$='-kind']").select_option("speech")
    page.locator("[name=_continue]").click()
    page.locator(".messagelist .success").wait_for()

    rows = platform.call("GET", f"shows/{show}/cues/")["results"]
    saved = sorted(rows, key=lambda cue: cue["position"])
    assert [cue["text"] for cue in saved] == ["two", "one", "five", "three"]
    page.close()
