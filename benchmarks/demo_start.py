"""How long a newcomer waits: `make demo` on a fresh clone until the presenter is heard.

The clone is made from this working copy's HEAD into a temporary folder. Package caches are the
user's own (warm, when `make demo` has run once on this machine); `--cold` gives a first clone empty
ones, tells how much was fetched into them, and a second clone what the first one left.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from benchmarks.browser import CHROMIUM_FLAGS
from benchmarks.figures import BenchmarkError, Report, run_benchmark, tell
from benchmarks.platform import ROOT
from scripts.provision.tools import find_chromium
from tests.services import free_port, work_folder

LIMIT_SECONDS: Final = 90.0
GIVE_UP_SECONDS: Final = 1200.0
STOP_SECONDS: Final = 60.0
_AUDIBLE: Final = 0.02
# Loudness of what the watch page plays, measured on its own media element.
_LISTEN: Final = """() => new Promise((resolve) => {
  const find = () => {
    const video = document.querySelector("video");
    if (!video || !video.srcObject || !video.srcObject.getAudioTracks().length) {
      return setTimeout(find, 50);
    }
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(video.srcObject).connect(analyser);
    const values = new Float32Array(analyser.fftSize);
    const look = () => {
      analyser.getFloatTimeDomainData(values);
      if (video.videoWidth && values.some((value) => Math.abs(value) > THRESHOLD)) {
        return resolve(true);
      }
      setTimeout(look, 20);
    };
    look();
  };
  find();
})""".replace("THRESHOLD", str(_AUDIBLE))


def measure(given: argparse.Namespace) -> Report:
    """Clone, run, listen."""
    report = Report("demo_start")
    with work_folder("demo") as folder:
        environment = dict(os.environ)
        if given.cold:
            caches = {name: folder / name for name in ("PIP_CACHE_DIR", "npm_config_cache")}
            environment |= {name: str(path) for name, path in caches.items()}
            seconds, _ = _run_clone(folder / "first", environment)
            fetched = sum(_size(path) for path in caches.values())
            fetched += _size(folder / "first" / ".tools")
            report.state("make demo on a fresh clone, cold caches", f"{seconds:.1f} s", seconds)
            report.state("  fetched, by the size of the caches", f"{fetched / 1e6:.0f} MB", fetched)
        seconds, on_air = _run_clone(folder / "clone", environment)
    name = "make demo on a fresh clone, warm caches -> presenter heard"
    report.at_most(name, seconds, LIMIT_SECONDS, "s")
    report.state("  on air", f"{on_air:.1f} s", on_air)
    return report


def _run_clone(clone: Path, environment: dict[str, str]) -> tuple[float, float]:
    """(seconds until a fresh clone's presenter is heard, seconds until it is on air)."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607
    return _run_demo(clone, {**environment, "PORT": str(free_port())})


def _run_demo(clone: Path, environment: dict[str, str]) -> tuple[float, float]:
    """(seconds until heard, until on air). The demo is ended afterwards."""
    began = time.monotonic()
    log = (clone.parent / "demo.log").open("wb")
    process = subprocess.Popen(
        ["make", "demo"], cwd=clone, env=environment, stdin=subprocess.DEVNULL,  # noqa: S607
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        demo = _wait_for_demo(process, clone)
        on_air = time.monotonic() - began
        tell(f"on air after {on_air:.1f} s")
        _listen(demo["watch_url"])
        return time.monotonic() - began, on_air
    finally:
        log.close()
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for_demo(process: subprocess.Popen[bytes], clone: Path) -> dict[str, str]:
    path, until = clone / "var" / "demo.json", time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < until:
        if path.exists():
            described: dict[str, str] = json.loads(path.read_text())
            return described
        if process.poll() is not None:
            break
        time.sleep(0.1)
    words = (clone.parent / "demo.log").read_text(errors="replace")[-1500:]
    raise BenchmarkError(f"the demo did not go on air:\n{words}")


def _listen(watch_url: str) -> None:
    """Open the watch page as a newcomer does; returns when picture and voice are there."""
    tool = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(tool.executable),
            args=[*tool.arguments, *CHROMIUM_FLAGS],
            env=dict(tool.environment),
        )
        try:
            page = browser.new_context(bypass_csp=True).new_page()
            page.goto(watch_url)
            page.evaluate(_LISTEN)
        finally:
            browser.close()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cold", action="store_true", help="with empty package caches")


if __name__ == "__main__":
    if shutil.which("make") is None:
        sys.exit("make is not installed")
    sys.exit(run_benchmark(measure, description=__doc__ or "", add_arguments=_add_arguments))
