"""Files chosen in the admin, in Chromium against the real web server: large ones lose no form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live.studio import Studio

pytestmark = pytest.mark.live


@pytest.fixture
def page(studio: Studio, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(locale="zh-CN")
    page.set_default_timeout(60_000)
    page.goto(f"{studio.platform.base_url}/admin/login/")
    page.fill("[name=username]", studio.platform.name)
    page.fill("[name=password]", studio.platform.password)
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")
    yield page
    page.close()


def test_file_that_is_too_large_is_refused_before_it_is_sent(
    studio: Studio, page: Page, tmp_path: Path
) -> None:
    huge, fine = tmp_path / "huge.png", tmp_path / "fine.png"
    huge.write_bytes(bytes(12 << 20))
    fine.write_bytes(b"\x89PNG\r\n\x1a\n")
    page.goto(f"{studio.platform.base_url}/admin/streams/picture/add/")

    page.set_input_files("[name=upload]", str(huge))

    expect(page.locator(".file-picker")).to_contain_text("8 MB")
    assert page.input_value("[name=upload]") == ""
    page.set_input_files("[name=upload]", str(fine))
    expect(page.locator(".file-picker")).to_contain_text("fine.png")
    expect(page.locator(".file-picker .is-refused")).to_have_count(0)


def test_film_of_many_megabytes_reaches_the_form(
    studio: Studio, page: Page, tmp_path: Path
) -> None:
    film = tmp_path / "me.mp4"
    film.write_bytes(bytes(40 << 20))
    page.goto(f"{studio.platform.base_url}/admin/avatars/avatar/add/")
    page.fill("[name=name]", "我的视频")
    page.select_option("[name=engine]", "portrait")

    page.set_input_files("[name=film]", str(film))
    page.locator("[name=_save]").click()

    expect(page.locator(".errorlist").first).to_be_visible()
    assert page.input_value("[name=name]") == "我的视频"
