"""The checklist names tests that exist, and says something of every chapter."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "asvs.md").read_text()
LINES = [line for line in TEXT.splitlines() if line.startswith("| V")]


def functions_of(path: Path) -> set[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_named_tests_exist() -> None:
    gone = []
    for name in sorted(set(re.findall(r"`(tests/[^`]+\.py(?:::\w+)?)`", TEXT))):
        path, _, function = name.partition("::")
        is_there = (ROOT / path).is_file()
        if not is_there or (function and function not in functions_of(ROOT / path)):
            gone.append(name)

    assert not gone, f"docs/asvs.md names tests that are gone: {gone}"


def test_each_name_is_of_one_test() -> None:
    """A whole file tells nobody what shows it."""
    names = re.findall(r"`(tests/[^`]+)`", "\n".join(LINES))
    whole = [name for name in names if "::test_" not in name]

    assert not whole, f"docs/asvs.md names files, not tests: {whole}"


def test_every_line_has_a_test_or_a_reason() -> None:
    for line in LINES:
        _section, says, shown = (cell.strip() for cell in line.strip("|").split("|"))
        assert says, line
        assert "`tests/" in shown or says.startswith("does not apply") or "see " in says, line


def test_every_chapter_is_spoken_of() -> None:
    chapters = {int(number) for line in LINES for number in re.findall(r"V(\d+)", line[:40])}

    assert chapters == set(range(1, 18))
