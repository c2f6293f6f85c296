"""The studio's presenters in Chromium: a photo is marked by hand and becomes one of them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.inference.face.portrait import drawn
from tests.live.studio import Studio
from tests.live.test_photo_marks import HEIGHT, LEFT, WIDTH, marks
from tests.live.viewing import open_page

pytestmark = [pytest.mark.live, pytest.mark.long]

NOSE = 8
# Of an arrow key, in a photo of this width.
STEP_PX = 0.002 * WIDTH


@pytest.fixture(params=["zh-CN", "en"])
def page(request: pytest.FixtureRequest, studio: Studio, browser: Browser) -> Page:
    """The presenters of a customer who is signed in, in one of the languages."""
    platform = studio.platform
    page = open_page(browser, f"{platform.base_url}/studio/sign-in/?next=/studio/presenters/")
    page.evaluate(f"localStorage.setItem('livestudio.language', '{request.param}')")
    page.reload()
    page.get_by_test_id("username").fill(platform.name)
    page.get_by_test_id("password").fill(platform.password)
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("upload-engine").select_option("portrait")
    return page


def test_host_marks_a_photo_in_the_studio(page: Page, studio: Studio, tmp_path: Path) -> None:
    """Each mark is dragged to its place; the nose goes there by the keyboard in the end."""
    photo = tmp_path / "me.jpg"
    cv2.imwrite(str(photo), drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH])
    is_chinese = page.evaluate("document.documentElement.lang").startswith("zh")
    name = f"Photo {is_chinese}"
    page.get_by_test_id("upload-name").fill(name)
    page.get_by_test_id("upload-file").set_input_files(str(photo))

    said = page.get_by_test_id("marks").get_by_role("status")
    expect(said).to_contain_text("尚未标点" if is_chinese else "Not set yet")
    _drag(page)
    _nudge_nose(page)
    expect(said).to_contain_text("鼻尖" if is_chinese else "tip of the nose")
    page.get_by_test_id("upload").click()

    card = page.get_by_test_id("presenter").filter(has_text=name)
    expect(card.locator("img")).to_be_visible(timeout=180_000)
    rows = studio.platform.call("GET", "avatars/")["results"]
    assert next(row for row in rows if row["name"] == name)["state"] == "ready"
    page.close()


def test_file_that_is_no_picture_is_told_before_and_after_it_is_sent(
    page: Page, tmp_path: Path
) -> None:
    """It is refused for what it is, not for the marks that nobody could set."""
    photo = tmp_path / "me.jpg"
    photo.write_bytes(json.dumps({"not": "a picture"}).encode() * 100)
    is_chinese = page.evaluate("document.documentElement.lang").startswith("zh")
    name = f"No photo {is_chinese}"
    page.get_by_test_id("upload-name").fill(name)
    page.get_by_test_id("upload-file").set_input_files(str(photo))

    told = page.get_by_test_id("marks").get_by_role("alert")
    expect(told).to_contain_text("无法" if is_chinese else "cannot show")
    page.get_by_test_id("upload").click()

    reason = "这既不是视频" if is_chinese else "This is neither a film"
    expect(page.get_by_test_id("upload-form").get_by_text(reason)).to_be_visible()
    expect(page.get_by_test_id("presenter").filter(has_text=name)).to_have_count(0)
    page.close()


def _drag(page: Page) -> None:
    dots = page.get_by_test_id("marks").locator("circle.mark")
    for number, (x, y) in enumerate(marks()):
        # Beside its place: the keyboard moves it there.
        y = y - 2 * STEP_PX if number == NOSE else y
        dots.nth(number).scroll_into_view_if_needed()
        dot, area = dots.nth(number).bounding_box(), page.locator(".photo svg").bounding_box()
        assert dot is not None
        assert area is not None
        scale = area["width"] / WIDTH
        page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
        page.mouse.down()
        page.mouse.move(area["x"] + x * scale, area["y"] + y * scale, steps=3)
        page.mouse.up()
        assert float(dots.nth(number).get_attribute("cx") or 0) == pytest.approx(x, abs=2)
        assert float(dots.nth(number).get_attribute("cy") or 0) == pytest.approx(y, abs=2)


def _nudge_nose(page: Page) -> None:
    nose = page.get_by_test_id("marks").locator("circle.mark").nth(NOSE)
    before = float(nose.get_attribute("cy") or 0)
    nose.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert float(nose.get_attribute("cy") or 0) == pytest.approx(before + 2 * STEP_PX)
