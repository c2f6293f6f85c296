"""Writes the generated part of docs/performance.md, between its markers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.figures import Json

BEGIN: Final = "<!-- figures: written by `python -m benchmarks.all` -->"
END: Final = "<!-- end of figures -->"


class MarkersMissingError(ValueError):
    """The document has no place for the figures."""


def write_block(path: Path, machine: list[str], reports: list[Json]) -> None:
    """Replace what lies between the markers. Raises MarkersMissingError, OSError."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissingError(f"{path} has no lines {BEGIN} and {END}")
    block = "\n".join([*machine, "", *_table(reports)])
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}", encoding="utf-8")
    draft.replace(path)


def _table(reports: list[Json]) -> list[str]:
    lines = ["| figure | target | measured | verdict |", "|---|---|---|---|"]
    for report in reports:
        lines.append(f"| **{report['title']}** | | | |")
        for figure in report["figures"]:
            cells = (figure[name] for name in ("name", "target", "measured", "verdict"))
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines += [f"| {_cell(note)} | | | |" for note in report["notes"]]
    return lines


def _cell(text: str) -> str:
    # Parts of a figure are indented in the terminal; here a dash says the same.
    shown = f"- {text.strip()}" if text.startswith("  ") else text
    return shown.replace("|", "\\|")
