"""Opens every page in Chromium against the fake backend: real media, strict policy, screenshots.

Run after `npm run build`, with an interpreter that has playwright and aiortc:
`python tests/browser/look.py FOLDER [LANGUAGE:THEME:WIDTH:HEIGHT ...]`. Exits 1 when a page logs
an error, breaks the content policy, or decodes no picture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FRONTEND = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
]
SCREENS = ("zh-CN:dark:1440:900", "en:light:1280:800", "zh-CN:light:390:844", "en:dark:1920:1080")
PHONE_MAX_PX = 500
LIVE_MS = 20_000


class Look:
    """One language, theme and size, and what went wrong in it."""

    def __init__(self, browser: Browser, screen: str, folder: Path, server: dict[str, Any]) -> None:
        language, theme, width, height = screen.split(":")
        size = {"width": int(width), "height": int(height)}
        is_phone = int(width) < PHONE_MAX_PX
        self.name = f"{language}-{theme}-{width}"
        self.folder, self.server = folder, server
        self.problems: list[str] = []
        self._context = browser.new_context(
            viewport=size, locale=language, is_mobile=is_phone, has_touch=is_phone
        )
        self._context.add_init_script(
            f"localStorage.setItem('livestudio.theme', '{theme}');"
            f"localStorage.setItem('livestudio.language', '{language}')"
        )

    def run(self) -> list[str]:
        """Visit every page; returns the problems found."""
        page = self._context.new_page()
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.problems.append(f"{self.name}: {error}"))
        self._studio(page)
        self._console(page)
        self._watch(page)
        self._context.close()
        return self.problems

    def _studio(self, page: Page) -> None:
        page.goto(f"{self.server['origin']}/studio/")
        page.fill("[data-testid=username]", self.server["username"])
        page.fill("[data-testid=password]", self.server["password"])
        self._shoot(page, "sign-in")
        page.click("[data-testid=sign-in]")
        page.wait_for_selector("[data-testid=show-card]")
        self._shoot(page, "studio")
        page.goto(f"{self.server['origin']}/studio/voices/")
        page.wait_for_selector("[data-testid=word]")
        self._shoot(page, "voices")
        page.goto(f"{self.server['origin']}/studio/presenters/")
        page.wait_for_selector("[data-testid=presenter-missing]")
        self._shoot(page, "presenters")
        page.click("[data-testid=presenter]:has([data-testid=presenter-missing]) a")
        page.wait_for_selector("[data-testid=weights]")
        self._shoot(page, "presenter")

    def _console(self, page: Page) -> None:
        page.goto(f"{self.server['origin']}/studio/broadcasts/{self.server['ids']['broadcast']}/")
        page.wait_for_selector("[data-testid=monitor][data-state=live]", timeout=LIVE_MS)
        page.fill("[data-testid=say-text]", "欢迎新进来的朋友！")
        page.press("[data-testid=say-text]", "Enter")
        page.wait_for_selector("[data-testid=command-result][data-state=done]")
        page.wait_for_timeout(3_000)
        self._shoot(page, "console")

    def _watch(self, page: Page) -> None:
        page.goto(f"{self.server['origin']}/watch/{self.server['ids']['broadcast']}/")
        page.wait_for_selector("[data-testid=watch-stage][data-state=live]", timeout=LIVE_MS)
        frames = page.evaluate(
            "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
        )
        if frames == 0:
            self.problems.append(f"{self.name}: no picture was decoded")
        self._shoot(page, "watch")

    def _shoot(self, page: Page, place: str) -> None:
        page.wait_for_timeout(300)
        page.screenshot(path=self.folder / f"{self.name}-{place}.png")

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{self.name}: {message.text}")


@contextmanager
def fake_server() -> Iterator[dict[str, Any]]:
    """The fake backend with a media peer: {origin, ids, username, password}."""
    environment = {"MEDIA_PYTHON": sys.executable, **os.environ}
    command = ["node", str(FRONTEND / "tests" / "fake-server" / "cli.mjs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def main() -> int:
    """0 when every page of every screen is clean."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with fake_server() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for screen in sys.argv[2:] or SCREENS:
            problems += Look(browser, screen, folder, server).run()
        browser.close()
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
