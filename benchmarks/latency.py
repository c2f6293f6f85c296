"""How long it takes from a command, or from the tick, to a picture or a sound far away.

Three figures: POST start to the first frame at an RTMP reader that waits already; POST say on an
idle broadcast to the first sample in Chromium; the tick that emits a frame to its picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Final

from benchmarks.browser import BrowserViewer, open_viewer
from benchmarks.figures import BenchmarkError, Report, percentile, run_benchmark, spread, tell
from benchmarks.platform import Platform, open_platform
from benchmarks.rtmp_reader import RtmpReader
from inference.engines.face.testcard.decode import TestcardReading
from inference.engines.speech.testtone.decode import decode_tags
from tests.services import RtmpServer, rtmp_server

START_LIMIT_MS: Final = 2000.0
SAY_LIMIT_MS: Final = 300.0
CHROMIUM_LIMIT_MS: Final = 70.0
RTMP_LIMIT_MS: Final = 120.0
SETTLE_SECONDS: Final = 6.0  # browsers feel their way to a short jitter buffer
PICTURE_SECONDS: Final = 10.0
_CLOCK_MODULO_MS: Final = 1 << 24


def measure(given: argparse.Namespace) -> Report:
    """All three, in one run of the platform."""
    report = Report("latency")
    with rtmp_server() as server, open_platform(given.base_url) as platform:
        _measure_starts(platform, server, given.starts, report)
        _measure_air(platform, server, given.runs, report)
    report.notes.append("RTMP: our own reader on nginx-rtmp, decoding by FFmpeg is included.")
    report.notes.append("Chromium: as the page gets it; a sound card or screen adds its own.")
    return report


def _measure_starts(platform: Platform, server: RtmpServer, starts: int, report: Report) -> None:
    key = f"start{time.monotonic_ns()}"
    show = platform.make_test_show(output=platform.make_output(server.push_url, key))
    taken: list[float] = []
    for number in range(starts):
        with RtmpReader(server.url(key), wants_cards=False) as reader:
            time.sleep(0.5)
            sent_at, answer = platform.timed(f"shows/{show}/start/", {})
            try:
                taken.append(reader.wait_for_picture(60).unix_ms - sent_at)
            finally:
                platform.stop(answer["id"])
        tell(f"start {number + 1}/{starts}: {taken[-1]:.0f} ms")
    report.at_most(
        f"POST start -> first frame at the RTMP reader, P95 of {starts}",
        percentile(taken, 0.95), START_LIMIT_MS, "ms", spread(taken),
    )  # fmt: skip
    report.details["start_ms"] = taken


def _measure_air(platform: Platform, server: RtmpServer, says: int, report: Report) -> None:
    key = f"air{time.monotonic_ns()}"
    show = platform.make_test_show(output=platform.make_output(server.push_url, key))
    with (
        RtmpReader(server.url(key)) as reader,
        platform.on_air(show) as broadcast,
        open_viewer(platform.base_url) as viewer,
    ):
        viewer.join(broadcast)
        viewer.record_sound()
        platform.wait_until_idle(broadcast)
        viewer.wait(SETTLE_SECONDS)
        _measure_says(platform, broadcast, viewer, says, report)
        _measure_pictures(platform, broadcast, viewer, reader, report)


def _measure_says(
    platform: Platform, broadcast: str, viewer: BrowserViewer, says: int, report: Report
) -> None:
    viewer.take_sound()
    sent: list[float] = []
    for _ in range(says):
        sent.append(platform.timed(f"broadcasts/{broadcast}/say/", {"text": "Now."})[0])
        viewer.wait(1.6)
    sound = viewer.take_sound()
    heard = [sound.unix_of(first) for first, _, _, _ in decode_tags(sound.samples)]
    taken = match_following(sent, heard)
    if len(taken) < says:
        tell(f"only {len(taken)} of {says} lines were heard in time")
    report.at_most(
        f"POST say on idle -> first sample in Chromium, median of {says}",
        percentile(taken, 0.5), SAY_LIMIT_MS, "ms", spread(taken),
    )  # fmt: skip
    report.details["say_ms"] = taken


def match_following(sent: list[float], heard: list[float]) -> list[float]:
    """For each moment sent, how long after it the first thing was heard, before the next sent."""
    ends = [*sent[1:], float("inf")]
    delays = []
    for start, end in zip(sent, ends, strict=True):
        after = [moment for moment in heard if start <= moment < end]
        if after:
            delays.append(after[0] - start)
    return delays


def _measure_pictures(
    platform: Platform,
    broadcast: str,
    viewer: BrowserViewer,
    reader: RtmpReader,
    report: Report,
) -> None:
    clock, before = platform.clock(broadcast), _rebases(platform, broadcast)
    first = len(reader.recorded.pictures)
    viewer.watch_pictures()
    viewer.wait(PICTURE_SECONDS)
    shown = viewer.take_pictures()
    if _rebases(platform, broadcast) != before:
        raise BenchmarkError("the media clock jumped during the measurement: the machine stood")
    at_page = delays_of([(p.card, p.unix_ms) for p in shown], clock.unix_of)
    pictures = reader.recorded.pictures[first:]
    at_reader = delays_of([(p.card, p.unix_ms) for p in pictures], clock.unix_of)
    for name, delays, limit in (
        ("Chromium", at_page, CHROMIUM_LIMIT_MS),
        ("RTMP reader", at_reader, RTMP_LIMIT_MS),
    ):
        report.at_most(
            f"tick emits the frame -> picture, P50: {name}",
            percentile(delays, 0.5), limit, "ms", spread(delays),
        )  # fmt: skip
        report.details[f"picture_ms_{name}"] = delays
    report.details["webrtc"] = viewer.stats()


def delays_of(
    pictures: list[tuple[TestcardReading | None, float]], unix_of: Callable[[float], float]
) -> list[float]:
    """Wall clock minus the moment at which the tick emitted the picture; cards only."""
    delays = []
    for card, seen_ms in pictures:
        if card is None:
            continue
        wraps = round((seen_ms - unix_of(card.clock_ms)) / _CLOCK_MODULO_MS)
        delays.append(seen_ms - unix_of(card.clock_ms + wraps * _CLOCK_MODULO_MS))
    return delays


def _rebases(platform: Platform, broadcast: str) -> int:
    return int(platform.broadcast(broadcast)["metrics"]["rebases"])


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--starts", type=int, default=20, help="how often the show is started (20)")


if __name__ == "__main__":
    sys.exit(
        run_benchmark(measure, description=__doc__ or "", runs=30, add_arguments=_add_arguments)
    )
