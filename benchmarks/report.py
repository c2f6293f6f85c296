"""Writes the generated part of docs/performance.md, between its markers.

Each program has a section of its own, headed by when and at which commit it ran; the sections of
programs that did not run now stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from benchmarks.figures import Json

BEGIN: Final = "<!-- figures: written by `python -m benchmarks.all` -->"
END: Final = "<!-- end of figures -->"
_HEAD: Final = ("| figure | target | measured | verdict |", "|---|---|---|---|")
_HEADING: Final = re.compile(r"\| \*\*(\w+)\*\* \|")


class MarkersMissingError(ValueError):
    """The document has no place for the figures."""


def write_block(path: Path, machine: list[str], when: str, reports: list[Json]) -> None:
    """Replace the machine and the sections of these reports between the markers.

    when: of these reports. Raises MarkersMissingError, OSError.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissingError(f"{path} has no lines {BEGIN} and {END}")
    sections = _sections(old) | {report["title"]: _section(report, when) for report in reports}
    table = [line for section in sections.values() for line in section]
    block = "\n".join([*machine, "", *_HEAD, *table])
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}", encoding="utf-8")
    draft.replace(path)


def _sections(block: str) -> dict[str, list[str]]:
    """The rows of each program, by its title, as they stand in the document."""
    sections: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in block.splitlines():
        if heading := _HEADING.match(line):
            rows = sections[heading[1]] = []
        if line.startswith("|"):
            rows.append(line)
    return sections


def _section(report: Json, when: str) -> list[str]:
    lines = [f"| **{report['title']}** | | {when} | |"]
    for figure in report["figures"]:
        cells = (figure[name] for name in ("name", "target", "measured", "verdict"))
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return lines + [f"| {_cell(note)} | | | |" for note in report["notes"]]


def _cell(text: str) -> str:
    # Parts of a figure are indented in the terminal; here a dash says the same.
    shown = f"- {text.strip()}" if text.startswith("  ") else text
    return shown.replace("|", "\\|")
