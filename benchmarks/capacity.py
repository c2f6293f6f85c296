"""How many 540p25 broadcasts this machine carries, and how many break it.

Every one speaks nearly all the time, is pushed to an RTMP server and recorded. Web server, control
loop and RTMP server run on the same machine and count. One broadcast more is put on air until one
of them drops or holds a picture or loses sound in two windows running.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import BenchmarkError, Json, Report, run_benchmark, tell
from benchmarks.platform import Platform, open_platform
from benchmarks.presenting import presenter_show
from tests.services import rtmp_server

TARGET: Final = 6
SPEAKING_SHARE: Final = 0.8
SETTLE_SECONDS: Final = 12.0
_PROFILE: Final = "virtual_host"
_FRAMES_PER_SECOND: Final = 25
_LOSSES: Final = ("held", "dropped", "sound_dropped", "underruns", "rebases")


@dataclass(frozen=True, slots=True)
class Window:
    """One measurement. losses: what was lost, by "broadcast: kind". busy: of all processors."""

    broadcasts: int
    losses: dict[str, int]
    speaking: float
    busy: float

    @property
    def is_clean(self) -> bool:
        return not self.losses


def measure(given: argparse.Namespace) -> Report:
    """One more broadcast at a time, from `--first` on."""
    report = Report("capacity")
    windows: list[Window] = []
    with ExitStack() as stack:
        server = stack.enter_context(rtmp_server())
        platform = stack.enter_context(open_platform(given.base_url))
        on_air: list[str] = []
        while len(on_air) < given.most:
            show = presenter_show(platform, push_url=server.push_url, profile=_PROFILE)
            on_air.append(stack.enter_context(platform.on_air(show)))
            _wait_until_steady(platform, on_air[-1])
            if len(on_air) < given.first:
                continue
            windows.append(_best_of_two(platform, on_air, given.seconds))
            if not windows[-1].is_clean:
                break
        _stop_all(platform, on_air)
    _report(report, windows)
    return report


def _wait_until_steady(platform: Platform, broadcast: str) -> None:
    platform.wait_for_presenter(broadcast)
    platform.wait_for(broadcast, _is_complete, "on RTMP and recorded")


def _is_complete(row: Json) -> bool:
    kinds = {worker["kind"] for worker in row["runner"]["workers"]}
    return {"speech", "face", "pusher", "recorder"} <= kinds and all(
        output["state"] == "live" for output in row["outputs"]
    )


def _best_of_two(platform: Platform, on_air: list[str], seconds: float) -> Window:
    """A window; where something was lost, another: only what lasts is a limit."""
    for _ in range(2):
        time.sleep(SETTLE_SECONDS)
        window = _watch(platform, on_air, seconds)
        tell(f"{window.broadcasts} broadcasts, {window.busy:.0%} busy: {window.losses or 'clean'}")
        if window.is_clean:
            break
    return window


def _watch(platform: Platform, on_air: list[str], seconds: float) -> Window:
    before = [platform.broadcast(broadcast) for broadcast in on_air]
    busy, began = _busy_jiffies(), time.monotonic()
    time.sleep(seconds)
    spent, passed = _busy_jiffies() - busy, time.monotonic() - began
    rows = [platform.broadcast(broadcast) for broadcast in on_air]
    losses: dict[str, int] = {}
    for number, (old, row) in enumerate(zip(before, rows, strict=True), start=1):
        if not _is_complete(row):
            losses[f"{number}: output"] = 1
        losses |= {f"{number}: {kind}": lost for kind, lost in losses_since(old, row).items()}
    speaking = min(_speaking_share(platform, row, seconds) for row in rows)
    return Window(len(on_air), losses, speaking, spent / passed / _processors())


def losses_since(before: Json, row: Json) -> dict[str, int]:
    """What a broadcast has lost since `before`, pictures that were not made included, by kind."""
    old, new = before["metrics"], row["metrics"]
    lost = {kind: new[kind] - old[kind] for kind in _LOSSES}
    expected = (new["media_time_ms"] - old["media_time_ms"]) * _FRAMES_PER_SECOND / 1000
    missing = int(expected - (new["frames"] - old["frames"]))
    # The counts of one report are up to two pictures apart.
    lost["missing"] = missing if missing > 2 else 0
    lost["dropped by outputs"] = _output_drops(row) - _output_drops(before)
    return {kind: count for kind, count in lost.items() if count}


def _output_drops(row: Json) -> int:
    return sum(output["dropped"] for output in row["outputs"])


def _speaking_share(platform: Platform, row: Json, seconds: float) -> float:
    """How much of the last `seconds` was speech, by the transcript."""
    end_ms = row["metrics"]["media_time_ms"]
    start_ms = end_ms - seconds * 1000
    spoken = 0.0
    for utterance in platform.utterances(row["id"]):
        if utterance["media_time_ms"] is None:
            continue
        begin = utterance["media_time_ms"]
        end = begin + (utterance["played_ms"] or utterance["duration_ms"] or 0)
        spoken += max(0.0, min(end, end_ms) - max(begin, start_ms))
    return spoken / (end_ms - start_ms)


def _busy_jiffies() -> float:
    """Seconds all processors were not idle since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / 100


def _processors() -> int:
    lines = Path("/proc/stat").read_text().splitlines()
    return sum(line.startswith("cpu") for line in lines) - 1


def _stop_all(platform: Platform, on_air: list[str]) -> None:
    """Ask all to end first: one after the other would take the time of each."""
    for broadcast in on_air:
        platform.call("POST", f"broadcasts/{broadcast}/stop/", {"when": "now"})


def _report(report: Report, windows: list[Window]) -> None:
    if not windows:
        raise BenchmarkError("--most must be at least --first")
    clean = [window for window in windows if window.is_clean]
    carried = clean[-1].broadcasts if clean else 0
    name = "540p25 broadcasts without a frame dropped or held"
    report.at_least(name, carried, TARGET, "")
    if not windows[-1].is_clean:
        words = ", ".join(f"{kind} {lost}" for kind, lost in windows[-1].losses.items())
        report.state("the number that breaks", f"{windows[-1].broadcasts} ({words})")
    else:
        report.state("the number that breaks", "not reached")
    if clean:
        share = min(window.speaking for window in clean)
        report.at_least("speaking, the least of all", 100 * share, 100 * SPEAKING_SHARE, "%")
    for window in windows:
        busy = f"{window.busy:.0%} of {_processors()} processors"
        report.state(f"  {window.broadcasts} on air", busy, window.busy)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--first", type=int, default=4, help="first number measured (4)")
    parser.add_argument("--most", type=int, default=40, help="where to stop at the latest (40)")


if __name__ == "__main__":
    sys.exit(
        run_benchmark(measure, description=__doc__ or "", seconds=60.0, add_arguments=_arguments)
    )
