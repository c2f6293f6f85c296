"""Figures against targets: the table each program prints, and the command line they share."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from scripts.provision.tools import MissingToolError

Json = dict[str, Any]
_COLUMNS: Final = ("figure", "target", "measured", "verdict")


class BenchmarkError(Exception):
    """The measurement cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. verdict: met | missed | stated (there is no target)."""

    name: str
    target: str
    measured: str
    verdict: str
    value: float | None = None


@dataclass(slots=True)
class Report:
    """What one program has found. details: raw numbers, kept in the JSON only."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: Json = field(default_factory=dict)

    def at_most(self, name: str, value: float, limit: float, unit: str, extra: str = "") -> None:
        """A figure whose target is an upper limit."""
        self._judge(name, value, f"<= {limit:g} {unit}".strip(), unit, extra, is_met=value <= limit)

    def at_least(self, name: str, value: float, limit: float, unit: str, extra: str = "") -> None:
        """A figure whose target is a lower limit."""
        self._judge(name, value, f">= {limit:g} {unit}".strip(), unit, extra, is_met=value >= limit)

    def between(self, name: str, value: float, limits: tuple[float, float], unit: str) -> None:
        """A figure whose target is a range."""
        low, high = limits
        target = f"{low:g} .. {high:g} {unit}".strip()
        self._judge(name, value, target, unit, "", is_met=low <= value <= high)

    def state(self, name: str, measured: str, value: float | None = None) -> None:
        """A figure without a target."""
        self.figures.append(Figure(name, "", measured, "stated", value))

    def _judge(
        self, name: str, value: float, target: str, unit: str, extra: str, *, is_met: bool
    ) -> None:
        measured = f"{_rounded(value)} {unit}".strip() + (f" ({extra})" if extra else "")
        verdict = "met" if is_met else "missed"
        self.figures.append(Figure(name, target, measured, verdict, value))

    @property
    def is_met(self) -> bool:
        return all(figure.verdict != "missed" for figure in self.figures)

    def table(self) -> str:
        """Markdown: the figures, then the notes."""
        rows = [[f.name, f.target, f.measured, f.verdict] for f in self.figures]
        widths = [
            max(len(row[index]) for row in [list(_COLUMNS), *rows])
            for index in range(len(_COLUMNS))
        ]
        lines = [_line(_COLUMNS, widths), _line(["-" * width for width in widths], widths)]
        lines += [_line(row, widths) for row in rows]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def as_json(self) -> Json:
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all are at or below (nearest rank)."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, int(rank) - 1)]


def spread(values: Sequence[float]) -> str:
    """Minimum, median, P95 and maximum in one phrase."""
    if not values:
        return "nothing measured"
    parts = (min(values), percentile(values, 0.5), percentile(values, 0.95), max(values))
    low, middle, high, top = (_rounded(part) for part in parts)
    return f"min {low}, P50 {middle}, P95 {high}, max {top}, n {len(values)}"


def run_benchmark(
    measure: Callable[[argparse.Namespace], Report],
    *,
    description: str,
    runs: int = 0,
    seconds: float = 0.0,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Parse the command line, measure, print the table.

    Exit status: 0; 1 when a target is missed; 2 when it could not be measured, and why.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--base-url", help="a running platform with TEST_ENGINES=1; else its own")
    parser.add_argument("--json", type=Path, help="write figures and raw numbers there")
    if runs:
        parser.add_argument("--runs", type=int, default=runs, help=f"repetitions ({runs})")
    if seconds:
        parser.add_argument(
            "--seconds", type=float, default=seconds, help=f"length of the measurement ({seconds})"
        )
    if add_arguments is not None:
        add_arguments(parser)
    given = parser.parse_args()
    # So that what was started is ended: the platform, the servers, the viewers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        report = measure(given)
    except (BenchmarkError, MissingToolError) as error:
        tell(str(error))
        return 2
    print(f"\n{report.title}\n{report.table()}")
    if given.json:
        given.json.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n")
    return 0 if report.is_met else 1


def tell(message: str) -> None:
    """A line of progress, apart from the table."""
    print(message, file=sys.stderr, flush=True)


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"
