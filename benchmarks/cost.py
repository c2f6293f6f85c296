"""What a speaking 720p25 presenter costs: processor time per frame by part, against encoding alone.

On air with one RTMP output, one recording and one WebRTC viewer (in another process, not counted,
as are web server, RTMP server and this program).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.encode_alone import measure_alone
from benchmarks.figures import BenchmarkError, Json, Report, run_benchmark, tell
from benchmarks.peer import watching
from benchmarks.platform import Platform, open_platform
from benchmarks.presenting import presenter_show
from benchmarks.processes import children, cpu_seconds
from benchmarks.rendering import render_talk
from tests.services import rtmp_server, work_folder

OTHERS_LIMIT_MS: Final = 7.0
RATIO_LIMIT: Final = 3.0
WARM_UP_SECONDS: Final = 6.0
FILM_FRAMES: Final = 250
_ENCODER: Final = "h264"


@dataclass(frozen=True, slots=True)
class _Look:
    """Processor seconds by process and the core's own figures, at one moment."""

    cpu: dict[int, float]
    metrics: Json
    at: float


def measure(given: argparse.Namespace) -> Report:
    """The reference before and after the broadcast, in the same run."""
    report = Report("cost")
    with work_folder("cost") as folder:
        film = folder / "talk.i420"
        render_talk(film, language="en-US", frames=FILM_FRAMES)
        tell("encoding alone, before")
        alone = [measure_alone(film, given.seconds / 2)]
        parts = _measure_broadcast(given.base_url, given.seconds)
        tell("encoding alone, after")
        alone.append(measure_alone(film, given.seconds / 2))
    _report(report, parts, alone)
    return report


def _measure_broadcast(base_url: str | None, seconds: float) -> dict[str, float]:
    with rtmp_server() as server, open_platform(base_url) as platform:
        show = presenter_show(platform, push_url=server.push_url)
        with platform.on_air(show) as broadcast, watching(platform, broadcast):
            _wait_for_outputs(platform, broadcast)
            platform.wait_for_presenter(broadcast)
            time.sleep(WARM_UP_SECONDS)
            named = platform.processes(broadcast)
            before = _look(platform, broadcast, named)
            time.sleep(seconds)
            after = _look(platform, broadcast, named)
            if platform.processes(broadcast) != named:
                raise BenchmarkError("a worker was replaced during the measurement")
    return cost_by_part(named, before, after)


def _wait_for_outputs(platform: Platform, broadcast: str) -> None:
    def are_live(row: Json) -> bool:
        kinds = {worker["kind"] for worker in row["runner"]["workers"]}
        return {"speech", "face", "pusher", "recorder"} <= kinds and row["metrics"]["viewers"] == 1

    platform.wait_for(broadcast, are_live, "on all outputs")


def _look(platform: Platform, broadcast: str, named: dict[int, str]) -> _Look:
    core = next(pid for pid, part in named.items() if part == "core")
    cpu = {pid: cpu_seconds(pid) for pid in [core, *children(core)]}
    return _Look(cpu, platform.broadcast(broadcast)["metrics"], time.monotonic())


def cost_by_part(named: dict[int, str], before: _Look, after: _Look) -> dict[str, float]:
    """Processor ms per frame: the encoder, the core's other threads, the rest of it, each child.

    The frames made follow from the core's own count, which is a little older than the look: its
    rate by the media clock is taken.
    """
    old, new = before.metrics, after.metrics
    frames = new["frames"] - old["frames"]
    media_ms = new["media_time_ms"] - old["media_time_ms"]
    per_second = frames / media_ms * 1000
    made = per_second * (after.at - before.at)
    parts = {
        f"core: {name}": (
            new["cpu_ms_per_frame"][name] * new["frames"]
            - old["cpu_ms_per_frame"][name] * old["frames"]
        ) / frames
        for name in new["cpu_ms_per_frame"]
    }  # fmt: skip
    threads = sum(parts.values())
    for pid, part in {**dict.fromkeys(after.cpu, "other"), **named}.items():
        spent = (after.cpu[pid] - before.cpu.get(pid, 0.0)) * 1000 / made
        if part == "core":
            parts["core: network, viewers, link, captions"] = spent - threads
        else:
            parts[part] = parts.get(part, 0.0) + spent
    return parts


def _report(report: Report, parts: dict[str, float], alone: list[float]) -> None:
    total = sum(parts.values())
    others = total - parts[f"core: {_ENCODER}"]
    reference = sum(alone) / len(alone)
    report.at_most(
        "720p25 speaking: processor time of everything but the encoder",
        others, OTHERS_LIMIT_MS, "ms a frame",
    )  # fmt: skip
    report.at_most(
        "total / the same frames encoded alone, paced",
        total / reference, RATIO_LIMIT, "", f"{total:.2f} / {reference:.2f} ms",
    )  # fmt: skip
    for name, value in sorted(parts.items(), key=lambda part: -part[1]):
        report.state(f"  {name}", f"{value:.2f} ms a frame", value)
    words = " and ".join(f"{value:.2f}" for value in alone)
    report.state("  reference: encoded alone, before and after", f"{words} ms a frame", reference)
    report.notes.append("The reference's frames carry captions and label, as those on air.")


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", seconds=60.0))
