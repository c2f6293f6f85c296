"""How much memory a 720p broadcast takes: the proportional sets of all its processes.

Pages of files below the data folder (the idle loop, baked art) are counted apart: they are the page
cache's, shared by all broadcasts, and go when memory is needed. Code and libraries are counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from benchmarks.figures import Report, run_benchmark
from benchmarks.peer import watching
from benchmarks.platform import Platform, open_platform
from benchmarks.presenting import presenter_show
from benchmarks.processes import Memory, children, memory
from tests.services import rtmp_server

LIMIT_MIB: Final = 350.0


def measure(given: argparse.Namespace) -> Report:
    """A speaking presenter, one RTMP output, a recording, one viewer."""
    report = Report("memory")
    with rtmp_server() as server, open_platform(given.base_url) as platform:
        show = presenter_show(platform, push_url=server.push_url)
        with platform.on_air(show) as broadcast, watching(platform, broadcast):
            platform.wait_for_presenter(broadcast)
            time.sleep(given.seconds)
            _report(report, measure_processes(platform, broadcast))
    return report


def measure_processes(platform: Platform, broadcast: str) -> dict[str, Memory]:
    """Memory by part: the runner and every process below it, named as the platform does."""
    named = platform.processes(broadcast)
    core = next(pid for pid, part in named.items() if part == "core")
    parts: dict[str, Memory] = {}
    for pid in [core, *children(core)]:
        part = named.get(pid, "other")
        parts[part if part not in parts else f"{part} {pid}"] = memory(pid, _cache_folder(core))
    return parts


def _cache_folder(core: int) -> str:
    """Where the runner's idle loop is mapped from, found in its mappings."""
    with open(f"/proc/{core}/maps") as maps:
        for line in maps:
            path = line.split(None, 5)[-1].strip()
            if path.endswith(".i420"):
                return path.rpartition("/")[0]
    return "/nowhere/"


def _report(report: Report, parts: dict[str, Memory]) -> None:
    total = sum(part.pss - part.data_files for part in parts.values())
    files = sum(part.data_files for part in parts.values())
    report.at_most(
        "720p broadcast, PSS of all its processes, mapped files apart", total, LIMIT_MIB, "MiB"
    )
    report.state("mapped idle loop and art, shared by all broadcasts", f"{files:.0f} MiB", files)
    for name, part in parts.items():
        words = f"anonymous {part.anonymous:.0f}, shared memory {part.shared:.0f}"
        own = part.pss - part.data_files
        report.state(f"  {name}", f"{own:.0f} MiB ({words})", own)


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", seconds=15.0))
