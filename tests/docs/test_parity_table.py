"""The table of comparisons with the reference names a test that exists for each of P1 to P13."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.test_asvs import functions_of

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "engines.md").read_text()
ROWS = re.findall(r"^\| P(\d+) \|.*$", TEXT, re.MULTILINE)


def named_tests() -> list[tuple[str, str]]:
    """(file, test) of every row; a name without a file is of the file before it."""
    found, path = [], ""
    for line in re.findall(r"^\| P\d+ \|.*$", TEXT, re.MULTILINE):
        for name in re.findall(r"`([^`]*::test_\w+)`", line):
            given, _, function = name.partition("::")
            path = given or path
            found.append((path, function))
    return found


def test_every_comparison_has_a_test_that_exists() -> None:
    gone = [
        f"{path}::{function}"
        for path, function in named_tests()
        if not (ROOT / path).is_file() or function not in functions_of(ROOT / path)
    ]

    assert not gone, f"docs/engines.md names tests that are gone: {gone}"
    assert len(named_tests()) > 20


def test_every_comparison_is_in_the_table() -> None:
    assert sorted({int(number) for number in ROWS}) == list(range(1, 14))
