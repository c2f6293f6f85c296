"""Texts of strangers in tables that spreadsheets open: a cell is a text, and stays in its row."""

from __future__ import annotations

import csv
import io

import pytest

from livestudio.common.csv_form import csv_text
from tests.security.corpora import FORMULAS, HEADERS, MARKUP, SQL, UNICODE

HIDDEN = (
    " =1+1", "  \t=1", "\u00a0=1", "\u3000=1", "\ufeff=1", "\u200b=1", "\0=1", "\n=1", "\r\n=1",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", " \uff1d1", "=cmd|' /C calc'!A0", "-2+3",
    "+7", "=1\";=2", "@", "=", "-",
)  # fmt: skip
EVERY = (*FORMULAS, *HIDDEN, *HEADERS, *MARKUP, *SQL, *UNICODE, '"', '"=1"\n=1', ",;\n")
BEGINNINGS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def read(table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("text", [*FORMULAS, *HIDDEN])
def test_no_cell_is_a_formula(text: str) -> None:
    header, row = read(csv_text(["title", text], [[text, 1]]))

    assert header[1] == row[0] == f"'{text}"
    assert not row[0].startswith(BEGINNINGS)


@pytest.mark.parametrize(
    "text", [*FORMULAS, *HIDDEN, *HEADERS, *MARKUP, *SQL, *UNICODE, '"', ",;\n"]
)
def test_text_stays_in_its_cell(text: str) -> None:
    rows = read(csv_text(["a", "b", "c"], [["before", text, "after"], ["x", "y", "z"]]))

    assert [len(row) for row in rows] == [3, 3, 3]
    assert (rows[1][0], rows[1][2]) == ("before", "after")
    assert rows[1][1] in (text, f"'{text}")
    assert rows[2] == ["x", "y", "z"]


@pytest.mark.parametrize("text", ["Tea = 3", "a-b", "茶", "1", "x@example.org", ""])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert read(csv_text(["a"], [[text, "b"]]))[1][0] == text
