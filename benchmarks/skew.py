"""Sound against picture at an RTMP reader: a flash on each second of the media clock, and a beep.

The beep comes on each whole second of its utterance, the flash on each whole second of the media
clock; where the utterance began is known, so each pair has an expected distance. What differs from
it is the skew, by the stream's own timestamps.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

import numpy as np

from benchmarks.figures import BenchmarkError, Report, percentile, run_benchmark, spread, tell
from benchmarks.platform import Platform, open_platform
from benchmarks.rtmp_reader import RATE_HZ, Recorded, RtmpReader, Samples, SeenPicture
from tests.services import rtmp_server

SKEW_LIMIT_MS: Final = 40.0
SLOPE_LIMIT_MS: Final = 1.0
SLOPE_SECONDS: Final = 600.0
LONGEST_SECONDS: Final = 590.0  # of one test tone
_LEAST_SECONDS_FOR_DRIFT: Final = 240
_LEAST_LEVEL: Final = 0.2
_QUIET_SAMPLES: Final = RATE_HZ // 2


def measure(given: argparse.Namespace) -> Report:
    """One long utterance of beeps per ten minutes."""
    report = Report("skew")
    key = f"skew{time.monotonic_ns()}"
    tone_seconds = min(given.seconds, LONGEST_SECONDS)
    with rtmp_server() as server, open_platform(given.base_url) as platform:
        show = platform.make_test_show(
            output=platform.make_output(server.push_url, key),
            voice=platform.make_voice("testtone", mode="beep", seconds=tone_seconds),
            cues=[{"text": "beep"}],
            rundown_mode="loop",
        )
        with RtmpReader(server.url(key)) as reader, platform.on_air(show) as broadcast:
            _listen(given.seconds)
            starts = _utterance_starts(platform, broadcast)
            offset = _stream_offset(reader.recorded.pictures)
            skews = find_skews(reader.recorded, starts, offset)
    if len(skews) < given.seconds * 0.8:
        raise BenchmarkError(f"only {len(skews)} beeps were heard in {given.seconds:.0f} s")
    _report(report, skews)
    return report


def _listen(seconds: float) -> None:
    until = time.monotonic() + seconds + 2
    while (left := until - time.monotonic()) > 0:
        tell(f"{left:.0f} s left")
        time.sleep(min(left, 60))


def _utterance_starts(platform: Platform, broadcast: str) -> list[float]:
    """Media time in ms at which each utterance began."""
    rows = platform.utterances(broadcast)
    starts = [row["media_time_ms"] for row in rows if row["media_time_ms"] is not None]
    if not starts:
        raise BenchmarkError("no utterance has begun")
    return starts


def _stream_offset(pictures: list[SeenPicture]) -> float:
    """Media time minus stream time in ms: the median over all cards."""
    offsets = [p.card.clock_ms - p.pts_ms for p in pictures if p.card]
    if not offsets:
        raise BenchmarkError("the reader has seen no test card")
    return float(np.median(offsets))


def find_skews(
    recorded: Recorded, starts_ms: list[float], offset_ms: float
) -> list[tuple[float, float]]:
    """[(seconds since the first, skew in ms)]; positive = the sound comes late."""
    flashes = flash_times(recorded.pictures)
    samples, blocks = recorded.sound()
    if not blocks:
        raise BenchmarkError("the reader has heard nothing")
    first_ms = blocks[0][1].pts_ms
    skews = []
    for sample in beep_onsets(samples):
        beep_ms = first_ms + sample * 1000 / RATE_HZ
        begun = [start for start in starts_ms if start <= beep_ms + offset_ms + 100]
        if not begun:
            continue
        expected = beep_ms - begun[-1] % 1000  # where the flash of this second should be
        nearest = min(flashes, key=lambda flash: abs(flash - expected), default=None)
        if nearest is not None and abs(nearest - expected) < 400:
            skews.append((beep_ms / 1000, expected - nearest))
    return skews


def flash_times(pictures: list[SeenPicture]) -> list[float]:
    """Stream time in ms of the first picture of each flash."""
    times, was_lit = [], False
    for picture in pictures:
        is_lit = picture.card is not None and picture.card.flash
        if is_lit and not was_lit:
            times.append(float(picture.pts_ms))
        was_lit = is_lit
    return times


def beep_onsets(samples: Samples) -> list[int]:
    """First sample of each beep: where the level passes half of its peak after silence."""
    loud = np.flatnonzero(np.abs(samples) > _LEAST_LEVEL)
    if not loud.size:
        return []
    firsts = loud[np.concatenate(([True], np.diff(loud) > _QUIET_SAMPLES))]
    return [int(first) for first in firsts]


def slope_ms(skews: list[tuple[float, float]]) -> float:
    """Drift by least squares, in ms per ten minutes."""
    seconds, values = np.array(skews).T
    return float(np.polyfit(seconds, values, 1)[0] * SLOPE_SECONDS)


def _report(report: Report, skews: list[tuple[float, float]]) -> None:
    sizes = [abs(value) for _, value in skews]
    signed = [value for _, value in skews]
    report.at_most(
        f"A/V skew at the RTMP reader, {len(skews)} s: P95",
        percentile(sizes, 0.95), SKEW_LIMIT_MS, "ms", f"signed {spread(signed)}",
    )  # fmt: skip
    drift = slope_ms(skews)
    if len(skews) < _LEAST_SECONDS_FOR_DRIFT:
        # The stream's timestamps are whole milliseconds: over less, their rounding is a drift.
        report.state("its drift, of too short a run to judge", f"{drift:.2f} ms per 10 min", drift)
    else:
        report.at_most("its drift", abs(drift), SLOPE_LIMIT_MS, "ms per 10 min")
    report.details["skews"] = skews


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", seconds=600.0))
