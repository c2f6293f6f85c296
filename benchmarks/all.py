"""Every benchmark one after the other, and the table of docs/performance.md.

`python -m benchmarks.all` takes about 40 minutes on a quiet machine; `--only` runs some and leaves
the figures of the others as they are; `--quick` is for trying the programs and writes no document
unless told to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.figures import Json, tell
from benchmarks.platform import ROOT
from benchmarks.report import write_block

# Program and its arguments, whole and quick.
PROGRAMS: Final[dict[str, tuple[list[str], list[str]]]] = {
    "latency": ([], ["--runs", "5", "--starts", "2"]),
    "interrupt": ([], ["--runs", "5"]),
    "voice": ([], ["--runs", "5"]),
    "cost": ([], ["--seconds", "12"]),
    "viewers": ([], ["--seconds", "6", "--viewers", "4"]),
    "lips": ([], ["--seconds", "30"]),
    "memory": ([], ["--seconds", "6"]),
    "capacity": ([], ["--seconds", "8", "--first", "2", "--most", "2"]),
    "skew": ([], ["--seconds", "20"]),
    "demo_start": (["--cold"], []),
    "api": ([], ["--seconds", "3"]),
}
_DOCUMENT: Final = ROOT / "docs" / "performance.md"
_PACKAGES: Final = ("av", "aiortc", "numpy", "opencv-python-headless", "Django", "channels")


def run_program(name: str, arguments: list[str]) -> tuple[Json | None, float]:
    """(what it has found, None when it failed; seconds it took). Its table goes to the screen."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(path), *arguments]
        subprocess.run(command, cwd=ROOT, check=False)
        found = json.loads(path.read_text()) if path.exists() else None
    return found, time.monotonic() - began


def describe_machine() -> list[str]:
    """Processor, memory, system, versions: what a figure is worth nothing without."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line),
        platform.processor(),
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo")), "0")
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [
        f"- Machine: {os.cpu_count()} CPU ({cpu}), {int(memory) // 1048576} GiB, no GPU used, "
        f"{platform.system()} {platform.release()}",
        f"- Load when it began: {' '.join(f'{value:.1f}' for value in os.getloadavg())}",
        f"- Python {platform.python_version()}, {packages}",
    ]


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Exit status 1 when a target was missed or a program failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs: to see that all work")
    parser.add_argument("--only", nargs="*", choices=list(PROGRAMS), help="these programs alone")
    parser.add_argument("--write", type=Path, help=f"the document (whole runs: {_DOCUMENT.name})")
    given = parser.parse_args()
    machine, reports = describe_machine(), []
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_commit()}"
    for name in given.only or PROGRAMS:
        tell(f"== {name}")
        found, seconds = run_program(name, PROGRAMS[name][1 if given.quick else 0])
        reports.append(found or {"title": name, "figures": [], "notes": ["It failed."]})
        tell(f"== {name} took {seconds:.0f} s")
    document = given.write or (None if given.quick else _DOCUMENT)
    if document is not None:
        write_block(document, machine, when, reports)
    return 0 if all(_is_met(report) for report in reports) else 1


def _is_met(report: Json) -> bool:
    figures = report["figures"]
    return bool(figures) and all(figure["verdict"] != "missed" for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
