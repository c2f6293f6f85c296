"""The studio on a phone: what is there, and large enough for a finger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.inference.face.portrait import drawn
from tests.live.studio import Studio

pytestmark = [pytest.mark.live, pytest.mark.long]

# px of a finger, across: WCAG 2.5.5.
FINGER = 44
_IS_HIT = """(mark, reach) => {
  mark.scrollIntoView({block: 'center'});
  const {left, top, width, height} = mark.getBoundingClientRect();
  const x = left + width / 2, y = top + height / 2;
  const around = [[-reach, 0], [reach, 0], [0, -reach], [0, reach]];
  const found = around.map(([dx, dy]) => document.elementFromPoint(x + dx, y + dy));
  return found.every((element) => element?.matches('.grip, .mark'));
}"""


@pytest.fixture
def page(studio: Studio, browser: Browser) -> Iterator[Page]:
    """The presenters of a customer who is signed in."""
    size = {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, has_touch=True, locale="zh-CN")  # type: ignore[arg-type]
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(f"{studio.platform.base_url}/studio/sign-in/?next=/studio/presenters/")
    page.get_by_test_id("username").fill(studio.platform.name)
    page.get_by_test_id("password").fill(studio.platform.password)
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("upload-engine").select_option("portrait")
    yield page
    context.close()


def choose_photo(page: Page, folder: Path) -> Locator:
    """A photo with all its marks; the marks."""
    photo = folder / "me.jpg"
    cv2.imwrite(str(photo), drawn.photo())
    page.get_by_test_id("upload-file").set_input_files(str(photo))
    marks = page.locator("circle.mark")
    expect(marks).to_have_count(17)
    return marks


def test_admin_is_reached_from_the_phone(page: Page) -> None:
    link = page.get_by_test_id("to-admin")

    expect(link).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_no_field_makes_the_phone_zoom_in(page: Page) -> None:
    sizes = [
        float(field.evaluate("(field) => parseFloat(getComputedStyle(field).fontSize)"))
        for field in page.locator(".field").all()
    ]

    assert sizes
    assert min(sizes) >= 16


def test_mark_of_a_photo_is_taken_by_a_finger_beside_it(page: Page, tmp_path: Path) -> None:
    marks = choose_photo(page, tmp_path)
    assert all(mark.evaluate(_IS_HIT, FINGER / 2) for mark in marks.all())
    chin = marks.nth(14)
    chin.scroll_into_view_if_needed()
    before = [float(chin.get_attribute(name) or 0) for name in ("cx", "cy")]
    box = chin.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 15
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=3)
    page.mouse.up()

    # It goes as far as the finger goes, and does not jump below it.
    after = [float(chin.get_attribute(name) or 0) for name in ("cx", "cy")]
    assert after[0] > before[0]
    assert after[1] == pytest.approx(before[1], abs=1)
