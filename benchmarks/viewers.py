"""What one more WebRTC viewer costs the sender, against aiortc's own encode per viewer.

Both are 720p25 H.264, both send to viewers in another process that decode nothing. Ours carries
sound too, and five times the bitrate that aiortc chooses by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.figures import Report, run_benchmark, tell
from benchmarks.peer import watching, watching_url
from benchmarks.platform import ROOT, Platform, open_platform
from benchmarks.presenting import presenter_show
from benchmarks.processes import cpu_seconds
from benchmarks.rendering import render_talk
from tests.services import work_folder

RATIO_LIMIT: Final = 0.1
SETTLE_SECONDS: Final = 3.0
FILM_FRAMES: Final = 125
REFERENCE_VIEWERS: Final = 2


def measure(given: argparse.Namespace) -> Report:
    """Ours with one viewer and with more, then the reference with none and with two."""
    report = Report("viewers")
    with work_folder("viewers") as folder:
        film = folder / "talk.i420"
        render_talk(film, language="en-US", frames=FILM_FRAMES)
        ours = _measure_ours(given.base_url, given.viewers, given.seconds)
        tell("aiortc's own encode per viewer")
        reference = _measure_reference(film, given.seconds)
    report.at_most(
        "one more viewer at 720p25 / aiortc's encode per viewer",
        ours / reference, RATIO_LIMIT, "", f"1 : {reference / ours:.0f}",
    )  # fmt: skip
    report.state("  one more viewer, of one core", f"{ours:.2%}", ours)
    report.state("  aiortc's encode per viewer, of one core", f"{reference:.2%}", reference)
    return report


def _measure_ours(base_url: str | None, viewers: int, seconds: float) -> float:
    """Share of a core that each viewer beyond the first takes of the runner."""
    with open_platform(base_url) as platform:
        show = presenter_show(platform, is_recorded=False)
        with platform.on_air(show) as broadcast, watching(platform, broadcast):
            platform.wait_for_presenter(broadcast)
            core = _core(platform, broadcast)
            few = [busy_share(core, seconds / 2)]
            tell(f"{viewers} more viewers")
            with watching(platform, broadcast, viewers):
                many = busy_share(core, seconds)
            few.append(busy_share(core, seconds / 2))
    return (many - sum(few) / 2) / viewers


def _core(platform: Platform, broadcast: str) -> int:
    return next(pid for pid, part in platform.processes(broadcast).items() if part == "core")


def _measure_reference(film: Path, seconds: float) -> float:
    with _reference_sender(film) as (pid, url):
        idle = busy_share(pid, seconds / 4)
        with watching_url(url, REFERENCE_VIEWERS):
            busy = busy_share(pid, seconds)
    return (busy - idle) / REFERENCE_VIEWERS


def busy_share(pid: int, seconds: float) -> float:
    """Share of one core that a process takes, after a moment to settle."""
    time.sleep(SETTLE_SECONDS)
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


@contextmanager
def _reference_sender(film: Path) -> Iterator[tuple[int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reference_sender", str(film)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = json.loads(process.stdout.readline())["port"]
        yield process.pid, f"http://127.0.0.1:{port}/whep/"
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--viewers", type=int, default=8, help="how many more join (8)")


if __name__ == "__main__":
    sys.exit(
        run_benchmark(
            measure, description=__doc__ or "", seconds=20.0, add_arguments=_add_arguments
        )
    )
