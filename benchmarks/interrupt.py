"""How long old speech goes on after POST interrupt, in Chromium and at an RTMP reader.

Each line is a tone that carries its own number and the generation it was scheduled in. The last
sample of the interrupted tone is found in what arrives, and nothing of it may come later.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.browser import BrowserViewer, open_viewer
from benchmarks.figures import Report, percentile, run_benchmark, spread, tell
from benchmarks.platform import Platform, open_platform
from benchmarks.rtmp_reader import RtmpReader
from inference.engines.speech.testtone.decode import Tag, decode_tags
from tests.services import rtmp_server

CHROMIUM_LIMIT_MS: Final = 150.0
RTMP_LIMIT_MS: Final = 250.0
TONE_SECONDS: Final = 6.0
SETTLE_SECONDS: Final = 6.0
_RATE_HZ: Final = 48_000
# A tone that was cut is never as long as it was planned.
_WHOLE_SAMPLES: Final = round((TONE_SECONDS - 0.2) * _RATE_HZ)


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of one tone at a reader. key: number and generation; times: wall clock in ms."""

    key: tuple[int, int]
    begin_ms: float
    end_ms: float
    samples: int


@dataclass(frozen=True, slots=True)
class Judged:
    """delays_ms: of each interrupt whose tone was heard. late: stretches of old speech after it."""

    delays_ms: list[float]
    missing: int
    late: list[Heard]


def measure(given: argparse.Namespace) -> Report:
    """Both readers, the same interrupts."""
    report = Report("interrupt")
    key = f"cut{time.monotonic_ns()}"
    with rtmp_server() as server, open_platform(given.base_url) as platform:
        show = platform.make_test_show(
            output=platform.make_output(server.push_url, key),
            voice=platform.make_voice("testtone", seconds=TONE_SECONDS),
            cues=[{"kind": "pause", "pause_seconds": 0.5}],
        )
        with (
            RtmpReader(server.url(key), wants_cards=False) as reader,
            platform.on_air(show) as broadcast,
            open_viewer(platform.base_url) as viewer,
        ):
            viewer.join(broadcast)
            viewer.record_sound()
            viewer.wait(SETTLE_SECONDS)
            sent = _interrupt_many(platform, broadcast, viewer, given.runs)
            _judge_all(report, sent, viewer, reader)
            cuts = _cut_delays(platform, broadcast, sent)
    report.state("  of it, until the sound leaves the clock no more", spread(cuts))
    return report


def _interrupt_many(
    platform: Platform, broadcast: str, viewer: BrowserViewer, runs: int
) -> list[float]:
    sent = []
    for number in range(runs):
        platform.call("POST", f"broadcasts/{broadcast}/say/", {"text": f"Line {number}."})
        _wait_for_sound(viewer)
        viewer.wait(random.uniform(0.2, 1.2))
        path = f"broadcasts/{broadcast}/interrupt/"
        sent.append(platform.timed(path, {"resume_after_seconds": None})[0])
        viewer.wait(0.9)
        tell(f"interrupt {number + 1}/{runs}")
    viewer.wait(1.0)
    return sent


def _wait_for_sound(viewer: BrowserViewer) -> None:
    until = time.monotonic() + 10
    while viewer.loudness() < 0.05 and time.monotonic() < until:
        viewer.wait(0.03)


def _judge_all(
    report: Report, sent: list[float], viewer: BrowserViewer, reader: RtmpReader
) -> None:
    in_browser = viewer.take_sound()
    at_browser = stretches(decode_tags(in_browser.samples), in_browser.unix_of)
    samples, starts = reader.recorded.sound()
    at_reader = stretches(decode_tags(samples), lambda at: _unix_at_reader(starts, at))
    for name, heard, limit in (
        ("Chromium", at_browser, CHROMIUM_LIMIT_MS),
        ("RTMP reader", at_reader, RTMP_LIMIT_MS),
    ):
        judged = judge(sent, heard)
        report.at_most(
            f"POST interrupt -> last sample of the tone, P95 of {len(sent)}: {name}",
            percentile(judged.delays_ms, 0.95), limit, "ms", spread(judged.delays_ms),
        )  # fmt: skip
        wrong = len(judged.late) + judged.missing
        extra = f"{judged.missing} tones not found" if judged.missing else ""
        report.at_most(f"old speech heard after its end: {name}", wrong, 0, "times", extra)
        report.details[f"interrupt_ms_{name}"] = judged.delays_ms


def _cut_delays(platform: Platform, broadcast: str, sent: list[float]) -> list[float]:
    """From each POST to the moment at which the last sample left the clock, by the transcript."""
    clock = platform.clock(broadcast)
    ends = [
        clock.unix_of(row["media_time_ms"] + row["played_ms"])
        for row in platform.utterances(broadcast)
        if row["state"] == "interrupted" and row["source"] == "operator"
    ]
    after = [[end - moment for end in ends if -50 < end - moment < 2000] for moment in sent]
    return [min(delays) for delays in after if delays]


def _unix_at_reader(starts: list[tuple[int, Any]], sample: int) -> float:
    """When a player that plays what it has decoded at once plays this sample."""
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if starts[middle][0] <= sample else (low, middle)
    first, block = starts[low]
    return float(block.unix_ms + (sample - first) * 1000 / _RATE_HZ)


def stretches(tags: list[Tag], unix_of: Callable[[int], float]) -> list[Heard]:
    """The tags with the wall clock of their edges."""
    return [
        Heard((number, generation), unix_of(first), unix_of(end - 1), end - first)
        for first, end, number, generation in tags
    ]


def judge(sent: list[float], heard: list[Heard]) -> Judged:
    """Match interrupts and tones. The tone that sounds or is on its way when one is sent is its.

    Anything of a tone heard after its last stretch has ended by more than a gap is late.
    """
    delays, missing, late = [], 0, []
    for index, moment in enumerate(sent):
        until = sent[index + 1] if index + 1 < len(sent) else float("inf")
        since = sent[index - 1] if index else float("-inf")
        mine = [h for h in heard if since < h.begin_ms < moment + 100 and h.end_ms > moment - 50]
        if not mine:
            missing += 1
            continue
        first = mine[0]
        delays.append(first.end_ms - moment)
        late += [
            h for h in heard
            if h.key == first.key and first.end_ms < h.begin_ms and h.begin_ms < until + 1e4
        ]  # fmt: skip
    return Judged(delays, missing, late)


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", runs=50))
