"""A newcomer's way in headless Chromium: watch a presenter, steer the show, see it end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.live.viewing import open_page, playing, wait_for_playing

pytestmark = pytest.mark.live

CUES = (
    "大家好，欢迎来到直播间。今天我们看三件新东西。",
    "Hello and welcome. This is the second cue, and it is a little longer than the others.",
    "最后说一句谢谢大家。",
)


_BOXES: Final = """() => Object.fromEntries(
  ["watch-video", "turn-on-sound", "toggle-captions", "toggle-fullscreen"].map((name) =>
    [name, document.querySelector(`[data-testid=${name}]`)?.getBoundingClientRect() ?? null]))"""
# All of one layout; and neither side of the page is left empty for nothing.
_IS_BESIDE: Final = f"""() => {{
  const {{"watch-video": picture, ...controls}} = ({_BOXES})();
  if (!picture || Object.values(controls).includes(null)) return false;
  const isLarge = Math.max(picture.width / innerWidth, picture.height / innerHeight) > 0.6;
  return isLarge && Object.values(controls).every((control) =>
    control.width > 0 && control.left >= 0 && control.top >= 0 &&
    control.right <= innerWidth + 1 && control.bottom <= innerHeight + 1 &&
    (control.top >= picture.bottom || control.left >= picture.right));
}}"""


@pytest.fixture(scope="module")
def show(studio: Studio) -> str:
    """The built-in presenter reads Chinese and English in a loop until stopped."""
    platform = studio.platform
    avatar = platform.call("GET", "avatars/")["results"][0]["id"]
    voices = platform.call("GET", "voices/")["results"]
    voice = next(voice["id"] for voice in voices if voice["language"] == "zh-CN")
    return platform.make_show(
        avatar=avatar,
        voice=voice,
        title="早间节目",
        profile="mobile",
        language="zh-CN",
        rundown_mode="loop",
        cues=[{"text": text} for text in CUES],
    )


@pytest.fixture
def broadcast(studio: Studio, show: str) -> Iterator[str]:
    with studio.platform.on_air(show) as broadcast:
        yield broadcast


def test_watch_page_plays_picture_sound_and_captions(
    studio: Studio, browser: Browser, broadcast: str, tmp_path: Path
) -> None:
    page = open_page(browser, studio.platform.broadcast(broadcast)["watch_url"])
    page.get_by_test_id("turn-on-sound").click()
    studio.platform.wait_for(broadcast, _shows_presenter, "showing the presenter")
    wait_for_playing(
        page, lambda now: now.frames > 15 and now.sound_energy > 0.001, "the first second"
    )
    # The browser shares this machine: one window in which nothing else held it up is enough.
    windows = (_window_freezes_no_more_than_skipped(studio, page, broadcast) for _ in range(5))
    assert any(windows)
    assert page.get_by_test_id("watch-stage").get_attribute("data-state") == "live"
    _show_captions(page)
    caption = page.get_by_test_id("watch-caption").inner_text().strip()
    assert any(caption.rstrip("。，,. ") in text for text in CUES), caption
    # The picture carries the label itself while it plays; a second one would stand beside it.
    expect(page.get_by_test_id("ai-label")).to_have_count(0)
    page.screenshot(path=tmp_path / "watch.png")
    page.close()


@pytest.mark.parametrize("profile", ["mobile", "vertical"])
def test_no_control_lies_over_the_picture_or_outside_the_page(
    studio: Studio, browser: Browser, profile: str
) -> None:
    show = studio.platform.make_test_show(profile=profile)
    with studio.platform.on_air(show) as broadcast:
        page = open_page(browser, studio.platform.broadcast(broadcast)["watch_url"])
        wait_for_playing(page, lambda now: now.frames > 5, "a picture")
        for width, height in ((1280, 720), (390, 844), (844, 390), (667, 375)):
            page.set_viewport_size({"width": width, "height": height})
            _expect_controls_beside_picture(page)
            page.get_by_test_id("toggle-fullscreen").click()
            page.wait_for_function("document.fullscreenElement")
            _expect_controls_beside_picture(page)
            page.get_by_test_id("toggle-fullscreen").click()
            page.wait_for_function("!document.fullscreenElement")
        page.close()


def test_operator_steers_the_show_from_the_console(
    studio: Studio, browser: Browser, show: str, tmp_path: Path
) -> None:
    page = _sign_in(studio, browser)
    page.locator(f"[data-testid=show-card][data-id='{show}']").get_by_test_id("start-show").click()
    page.wait_for_url("**/studio/broadcasts/*/")
    broadcast = page.url.rstrip("/").rpartition("/")[2]
    watch = open_page(browser, studio.platform.broadcast(broadcast)["watch_url"])
    wait_for_playing(watch, lambda now: now.frames > 10, "a viewer sees it")
    expect(page.get_by_test_id("tally")).to_have_attribute("data-state", "live")

    _say(page, "这是导播说的一句话。")
    row = page.get_by_test_id("utterance").filter(has_text="这是导播说的一句话。")
    expect(row).to_have_attribute("data-state", "said")

    cut = _interrupt_and_hold(studio, page, broadcast)
    page.screenshot(path=tmp_path / "console.png")
    _say(page, "插播一条消息。")
    wait_until(lambda: _said(studio, broadcast, "插播一条消息。"), "the news is said")
    wait_until(lambda: _is_said_again(studio, broadcast, cut), "the cut sentence is said again")
    expect(page.get_by_test_id("script-state")).to_have_attribute("data-state", "running")

    page.get_by_test_id("take-3").click()
    wait_until(lambda: _cue(studio, broadcast) == 2, "the third cue is on air")
    page.get_by_test_id("skip").click()
    wait_until(lambda: _cue(studio, broadcast) == 0, "the first cue of the next loop is on air")
    page.get_by_test_id("take-2").click()
    wait_until(lambda: _cue(studio, broadcast) == 1, "the second cue is on air")

    page.get_by_test_id("stop").click()
    page.get_by_test_id("stop-now").click()
    expect(watch.get_by_test_id("watch-stage")).to_have_attribute("data-state", "ended")
    expect(page.get_by_test_id("over")).to_be_visible()
    page.close()
    watch.close()


def test_wrong_password_is_refused_on_the_page(studio: Studio, browser: Browser) -> None:
    page = open_page(browser, f"{studio.platform.base_url}/studio/")
    page.get_by_test_id("username").fill("nobody")
    page.get_by_test_id("password").fill("not-the-password")
    page.get_by_test_id("sign-in").click()

    expect(page.get_by_test_id("sign-in-error")).to_be_visible()
    page.close()


def test_watch_page_of_nothing_says_so(studio: Studio, browser: Browser) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    page = open_page(browser, f"{studio.platform.base_url}/watch/{nothing}/")

    expect(page.get_by_test_id("watch-stage")).to_have_attribute("data-state", "not_found")
    page.close()


def _sign_in(studio: Studio, browser: Browser) -> Page:
    page = open_page(browser, f"{studio.platform.base_url}/studio/")
    page.get_by_test_id("username").fill(studio.platform.name)
    page.get_by_test_id("password").fill(studio.platform.password)
    page.get_by_test_id("sign-in").click()
    return page


def _expect_controls_beside_picture(page: Page) -> None:
    """Soon: a page that was just resized, or has only begun to play, is laid out once more."""
    try:
        page.wait_for_function(_IS_BESIDE, timeout=20_000)
    except PlaywrightTimeoutError:
        raise AssertionError(page.viewport_size, page.evaluate(_BOXES)) from None


def _show_captions(page: Page) -> None:
    """Captions of the page; they may be off because the picture holds them already."""
    if not page.get_by_test_id("watch-caption").is_visible():
        page.get_by_test_id("watch-stage").hover()
        page.get_by_test_id("toggle-captions").click()
    page.get_by_test_id("watch-caption").wait_for(state="visible")


def _say(page: Page, text: str) -> None:
    page.get_by_test_id("say-text").fill(text)
    page.get_by_test_id("say-next").click()


def _window_freezes_no_more_than_skipped(studio: Studio, page: Page, broadcast: str) -> bool:
    """Of 100 pictures: it froze at most once more often than the runner itself skipped one."""
    dropped, begin = _metric(studio, broadcast, "dropped"), playing(page)
    until = begin.frames + 100
    end = wait_for_playing(page, lambda now: now.frames >= until, "100 pictures more")
    skipped = _metric(studio, broadcast, "dropped") - dropped
    return end.freezes - begin.freezes <= skipped + 1


def _interrupt_and_hold(studio: Studio, page: Page, broadcast: str) -> dict[str, Any]:
    """Interrupt while a script sentence is spoken; the utterance that was cut."""
    page.get_by_test_id("interrupt-hold").select_option("hold")
    before = len(_in_state(studio, broadcast, "interrupted"))

    def has_cut() -> bool:
        # Between two sentences nothing speaks, so nothing is cut: press again.
        if len(_in_state(studio, broadcast, "interrupted")) > before:
            return True
        if _in_state(studio, broadcast, "speaking"):
            page.get_by_test_id("interrupt").click()
            expect(page.get_by_test_id("script-state")).to_have_attribute("data-state", "held")
            wait_until(
                lambda: not _in_state(studio, broadcast, "speaking"), "nothing speaks any more"
            )
            if len(_in_state(studio, broadcast, "interrupted")) == before:
                page.get_by_test_id("resume").click()
        return False

    wait_until(has_cut, "a sentence is cut")
    expect(page.get_by_test_id("script-state")).to_have_attribute("data-state", "held")
    return _in_state(studio, broadcast, "interrupted")[-1]


def _in_state(studio: Studio, broadcast: str, state: str) -> list[dict[str, Any]]:
    return [row for row in studio.platform.utterances(broadcast) if row["state"] == state]


def _said(studio: Studio, broadcast: str, text: str) -> bool:
    return any(row["text"] == text for row in _in_state(studio, broadcast, "said"))


def _is_said_again(studio: Studio, broadcast: str, cut: dict[str, Any]) -> bool:
    place = ("cue", "sentence", "loop", "text")
    wanted = [cut[name] for name in place]
    return any(
        [row[name] for name in place] == wanted for row in _in_state(studio, broadcast, "said")
    )


def _cue(studio: Studio, broadcast: str) -> int | None:
    """Which cue the cursor is on, from 0."""
    row = studio.platform.broadcast(broadcast)
    cues = [cue["id"] for cue in row["rundown"]]
    return cues.index(row["cursor"]["cue"]) if row["cursor"]["cue"] in cues else None


def _shows_presenter(row: dict[str, Any]) -> bool:
    """Pictures come from the face worker, not from what stands in for it."""
    return bool(row["metrics"]) and row["metrics"].get("source") in ("worker", "held")


def _metric(studio: Studio, broadcast: str, name: str) -> int:
    row = studio.platform.wait_for(broadcast, lambda row: row["metrics"], "telling metrics")
    return int(row["metrics"][name])
