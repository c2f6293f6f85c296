"""Every page of studio, watching and admin without a fault that axe knows, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.live.studio import Studio

pytestmark = [pytest.mark.live, pytest.mark.long]

AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
# The rules of WCAG 2.2 A and AA, and what axe's authors hold for good practice.
_RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.map((rule) => ({
    rule: rule.id,
    where: rule.nodes.slice(0, 4).map((node) => [node.target.join(' '), node.failureSummary]),
  }));
}"""
# What lies over the corners and the middle of the sides of a picture: one of them has the AI label.
_COVERS = """(picture) => {
  const {left, top, width, height} = picture.getBoundingClientRect();
  const shares = [0.05, 0.12, 0.5, 0.88, 0.95];
  const at = (x, y) => document.elementFromPoint(left + x * width, top + y * height);
  return shares.flatMap((x) => shares.map((y) => at(x, y))).filter((found) => found !== picture)
    .map((found) => found?.outerHTML.slice(0, 80));
}"""
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def broadcast(studio: Studio) -> Iterator[str]:
    platform = studio.platform
    output = platform.call(
        "POST",
        "outputs/",
        {
            "name": "Douyin", "kind": "rtmp", "url": "rtmp://127.0.0.1:9/live",
            "key_per_broadcast": True,
        },
    )  # fmt: skip
    cue = {"text": "第一句。第二句。", "expression": "happy", "gesture": "wave"}
    show = platform.make_test_show(
        cues=[cue, {"kind": "pause", "pause_seconds": 2}],
        profile="mobile",
        rundown_mode="loop",
        output=output["id"],
    )
    with platform.on_air(show) as broadcast:
        platform.wait_for(broadcast, lambda row: row["metrics"], "telling metrics")
        yield broadcast


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(SIZES))
def context(
    request: pytest.FixtureRequest, browser: Browser, theme: str
) -> Iterator[BrowserContext]:
    """A visitor who prefers a theme. The content policy is off: axe is put into the page."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="light" if theme == "light" else "dark",
        bypass_csp=True,
        locale="zh-CN",
    )
    context.add_init_script(f"localStorage.setItem('livestudio.theme', '{theme}')")
    context.set_default_timeout(120_000)
    yield context
    context.close()


def test_studio_and_watch_page_are_accessible(
    studio: Studio, broadcast: str, context: BrowserContext
) -> None:
    page, base = context.new_page(), studio.platform.base_url
    faults: dict[str, Any] = {}

    page.goto(f"{base}/studio/")
    page.get_by_test_id("username").wait_for()
    faults["sign-in"] = check(page)
    page.get_by_test_id("username").fill(studio.platform.name)
    page.get_by_test_id("password").fill(studio.platform.password)
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("show-card").first.wait_for()
    faults["studio"] = check(page)
    thumbnail = page.get_by_test_id("thumbnail")
    thumbnail.scroll_into_view_if_needed()
    assert thumbnail.evaluate(_COVERS) == []
    page.goto(f"{base}/studio/voices/")
    page.get_by_test_id("voice").first.wait_for()
    faults["voices"] = check(page)
    page.goto(f"{base}/studio/broadcasts/{broadcast}/")
    page.locator("[data-testid=output]").wait_for()
    page.locator("[data-testid=monitor][data-state=live]").wait_for()
    faults["console"] = check(page)
    page.get_by_test_id("caption-view").click()
    page.get_by_test_id("help").click()
    page.locator("dialog[open]").wait_for()
    faults["help"] = check(page)
    page.goto(f"{base}/watch/{broadcast}/")
    page.locator("[data-testid=watch-stage][data-state=live]").wait_for()
    faults["watch"] = check(page)

    refuse(faults)


def test_focus_is_seen_where_the_system_chooses_all_colours(
    studio: Studio, browser: Browser
) -> None:
    page = browser.new_page(forced_colors="active")
    page.goto(f"{studio.platform.base_url}/studio/")
    field = page.get_by_test_id("username")
    field.focus()

    # Shadows are left out there, and with them the ring that marks the focus elsewhere.
    outline = field.evaluate("(field) => getComputedStyle(field).outlineStyle")
    page.close()
    assert outline == "solid"


def test_admin_is_accessible(studio: Studio, broadcast: str, context: BrowserContext) -> None:
    page, base = context.new_page(), studio.platform.base_url
    show = studio.platform.broadcast(broadcast)["show"]
    voice = studio.platform.call("GET", "voices/")["results"][0]["id"]
    faults: dict[str, Any] = {}

    page.goto(f"{base}/admin/")
    faults["admin sign-in"] = check(page)
    page.fill("[name=username]", studio.platform.name)
    page.fill("[name=password]", studio.platform.password)
    page.click("[type=submit]")
    for place in (
        "",
        "live/",
        "timeline/",
        f"streams/show/{show}/change/",
        f"streams/broadcast/{broadcast}/change/",
        "voices/voice/",
        f"voices/voice/{voice}/change/",
        "voices/pronunciation/",
    ):
        page.goto(f"{base}/admin/{place}")
        faults[place or "index"] = check(page)

    refuse(faults)


def check(page: Page) -> list[Any]:
    """What axe finds in the page as it is now."""
    page.add_script_tag(path=AXE)
    found: list[Any] = page.evaluate(_RUN)
    return found


def refuse(faults: dict[str, Any]) -> None:
    """Fails with one line for each thing that somebody could not use."""
    lines = [
        f"{page}: {fault['rule']}: {target}: {' '.join(summary.split())}"
        for page, found in faults.items()
        for fault in found
        for target, summary in fault["where"]
    ]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
