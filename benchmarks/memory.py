"""How much memory a 720p broadcast takes: the proportional sets of all its processes.

Pages of files below the data folder (the idle loop, baked art) are counted apart: they are the page
cache's, shared by all broadcasts, and go when memory is needed. Code and libraries are counted.
With `--seconds 1800` also how much it grows from minute 5 on: by pages of its own, since its share
of mapped libraries falls and rises with whoever else on the machine has them mapped.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from benchmarks.figures import Report, run_benchmark, tell
from benchmarks.peer import watching
from benchmarks.platform import Platform, open_platform
from benchmarks.presenting import presenter_show
from benchmarks.processes import Memory, children, memory
from tests.services import rtmp_server

LIMIT_MIB: Final = 350.0
# Caches fill during the first minutes: fonts, captions, prefetched sentences.
GROWTH_FROM_SECONDS: Final = 300.0
GROWTH_LIMIT_MIB: Final = 5.0
_LEAST_SECONDS_FOR_GROWTH: Final = 600.0
_LOOK_SECONDS: Final = 60.0

Parts = dict[str, Memory]


def measure(given: argparse.Namespace) -> Report:
    """A speaking presenter, one RTMP output, a recording, one viewer."""
    report = Report("memory")
    with rtmp_server() as server, open_platform(given.base_url) as platform:
        show = presenter_show(platform, push_url=server.push_url)
        with platform.on_air(show) as broadcast, watching(platform, broadcast):
            platform.wait_for_presenter(broadcast)
            if given.seconds < _LEAST_SECONDS_FOR_GROWTH:
                time.sleep(given.seconds)
                _report(report, measure_processes(platform, broadcast))
            else:
                looks = _look_on(platform, broadcast, given.seconds)
                _report(report, looks[-1])
                _report_growth(report, looks)
    return report


def _look_on(platform: Platform, broadcast: str, seconds: float) -> list[Parts]:
    """A look each minute from minute 5 on, the last one at the end."""
    began = time.monotonic()
    time.sleep(GROWTH_FROM_SECONDS)
    looks: list[Parts] = []
    while True:
        looks.append(measure_processes(platform, broadcast))
        passed = time.monotonic() - began
        own, pages = own_mib(looks[-1]), own_pages_mib(looks[-1])
        tell(f"minute {passed / 60:.0f}: {own:.1f} MiB, {pages:.1f} of them no file's")
        if passed >= seconds:
            return looks
        time.sleep(min(_LOOK_SECONDS, seconds - passed))


def own_mib(parts: Parts) -> float:
    """All processes together, mapped files apart."""
    return sum(part.pss - part.data_files for part in parts.values())


def own_pages_mib(parts: Parts) -> float:
    """What can grow: the pages that are no file's."""
    return sum(part.anonymous + part.shared for part in parts.values())


def measure_processes(platform: Platform, broadcast: str) -> Parts:
    """Memory by part: the runner and every process below it, named as the platform does."""
    named = platform.processes(broadcast)
    core = next(pid for pid, part in named.items() if part == "core")
    parts: Parts = {}
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


def _report_growth(report: Report, looks: list[Parts]) -> None:
    """Between the means of the first and the last three looks: one look may fall into a peak."""
    first, last = looks[:3], looks[-3:]
    grown = (sum(map(own_pages_mib, last)) - sum(map(own_pages_mib, first))) / len(first)
    minutes = len(looks) + GROWTH_FROM_SECONDS / 60 - 1
    name = f"grown from minute {GROWTH_FROM_SECONDS / 60:.0f} to {minutes:.0f}"
    report.at_most(name, grown, GROWTH_LIMIT_MIB, "MiB")
    for part in looks[0]:
        if part in looks[-1]:
            value = looks[-1][part].anonymous - looks[0][part].anonymous
            report.state(f"  {part}: anonymous memory", f"{value:+.1f} MiB", value)


def _report(report: Report, parts: Parts) -> None:
    total = own_mib(parts)
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
