"""A headless browser that watches, and what it says about what it plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.provision.tools import Tool

SIZE = {"width": 1440, "height": 900}
# Every connection is kept, for its statistics; `relayOnly` makes each go through TURN.
_KEEP_PEERS = """
window.peers = [];
const Peer = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Peer {
  constructor(configuration) {
    super(%s ? {...configuration, iceTransportPolicy: 'relay'} : configuration);
    window.peers.push(this);
  }
};
"""
_STATISTICS = """async () => {
  const found = {};
  for (const peer of window.peers) {
    if (peer.connectionState !== 'connected') continue;
    const all = await peer.getStats();
    for (const report of all.values()) {
      if (report.type === 'inbound-rtp') found[report.kind] = report;
      if (report.type === 'transport') {
        const pair = all.get(report.selectedCandidatePairId);
        if (pair) found.local = all.get(pair.localCandidateId);
        if (pair) found.remote = all.get(pair.remoteCandidateId);
      }
    }
  }
  return found;
}"""


@dataclass(frozen=True, slots=True)
class Playing:
    """What a page has played so far. route: kinds of (own, runner's) ICE candidate."""

    frames: int
    freezes: int
    sound_energy: float
    route: tuple[str, str]
    address: str


@contextmanager
def open_browser(chromium: Tool, *more_arguments: str) -> Iterator[Browser]:
    """Chromium that may play sound without a click."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium.executable),
            args=[
                *chromium.arguments,
                "--autoplay-policy=no-user-gesture-required",
                *more_arguments,
            ],
            env=chromium.environment,
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, url: str, *, relay_only: bool = False) -> Page:
    """A page of 1440x900 that counts what its connections play."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    page.add_init_script(_KEEP_PEERS % ("true" if relay_only else "false"))
    page.goto(url)
    return page


def playing(page: Page) -> Playing:
    """The counters of the page's connection; zeros before there is one."""
    found = page.evaluate(_STATISTICS)
    video, audio = found.get("video", {}), found.get("audio", {})
    local, remote = found.get("local", {}), found.get("remote", {})
    return Playing(
        frames=video.get("framesDecoded", 0),
        freezes=video.get("freezeCount", 0),
        sound_energy=audio.get("totalAudioEnergy", 0.0),
        route=(local.get("candidateType", ""), remote.get("candidateType", "")),
        address=remote.get("address", ""),
    )


def wait_for_playing(
    page: Page, check: Callable[[Playing], Any], what: str, *, seconds: float = 300.0
) -> Playing:
    """The counters as soon as a check holds; AssertionError naming `what`."""
    until = time.monotonic() + seconds
    while not check(now := playing(page)):
        stage = page.locator("[data-testid=watch-stage]").first
        state = [stage.get_attribute(f"data-{name}") for name in ("state", "step", "transport")]
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}; {now} {state}"
        page.wait_for_timeout(200)
    return now
