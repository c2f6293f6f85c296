"""A photo becomes a presenter in the admin: its face is marked by hand, then it is built."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from avatars.marks import MARKS
from tests.inference.face.portrait import drawn
from tests.live.studio import Studio

pytestmark = [pytest.mark.live, pytest.mark.long]

LEFT, WIDTH, HEIGHT = 480, 960, 720
# Of the 68 points, those that a host marks; pairs: between them.
MARKED = (36, 39, (37, 38), (40, 41), 42, 45, (43, 44), (46, 47), 30, 48, 54, 51, 62, 57, 8, 4, 12)


def marks() -> list[tuple[float, float]]:
    """px in the photo, in the order of the form."""
    points = drawn.points() - np.array([LEFT, 0], np.float32)
    at = [points[list(n)].mean(axis=0) if isinstance(n, tuple) else points[n] for n in MARKED]
    return [(float(x), float(y)) for x, y in at]


def drag_marks(page: Page) -> None:
    dots = page.locator(".face-marks circle.mark")
    dots.nth(len(MARKS) - 1).wait_for()
    for number, (x, y) in enumerate(marks()):
        dots.nth(number).scroll_into_view_if_needed()
        dot = dots.nth(number).bounding_box()
        area = page.locator(".face-marks svg").bounding_box()
        assert dot is not None
        assert area is not None
        page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
        page.mouse.down()
        scale = area["width"] / WIDTH
        page.mouse.move(area["x"] + x * scale, area["y"] + y * scale, steps=3)
        page.mouse.up()


def test_host_marks_a_photo_and_has_a_presenter(
    studio: Studio, browser: Browser, tmp_path: Path
) -> None:
    platform = studio.platform
    photo = tmp_path / "me.jpg"
    cv2.imwrite(str(photo), drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH])
    page = browser.new_page(locale="en-US", viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(60_000)
    page.goto(f"{platform.base_url}/admin/login/?next=/admin/avatars/avatar/add/")
    page.fill("[name=username]", platform.name)
    page.fill("[name=password]", platform.password)
    page.click("[type=submit]")
    page.fill("[name=name]", "A photo of me")
    page.select_option("[name=engine]", "portrait")
    assert not page.locator(".face-marks").is_visible()

    page.set_input_files("[name=film]", str(photo))
    drag_marks(page)
    # The keyboard does it too, px by px.
    before = page.locator("[name=marks]").input_value()
    page.locator(".face-marks circle.mark").nth(8).focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("[name=marks]").input_value() != before
    page.locator("[name=_save]").click()
    page.locator(".messagelist .success").wait_for()
    page.close()

    until, avatar = time.monotonic() + 180, {"state": "building"}
    while avatar["state"] == "building" and time.monotonic() < until:
        rows = platform.call("GET", "avatars/")["results"]
        avatar = next(row for row in rows if row["name"] == "A photo of me")
        time.sleep(0.3)
    assert avatar["state"] == "ready", avatar
