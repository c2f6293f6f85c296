"""Tables as CSV that spreadsheets open without running anything in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

# What a spreadsheet takes for the beginning of a formula (OWASP: CSV injection); the last four, of
# full width, in Chinese and Japanese editions.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BLANKS: Final = " \u00a0\u3000\u200b\u200c\u200d\u2060\ufeff\0"
# Excel reads Chinese only behind this mark.
_BYTE_ORDER_MARK: Final = "\ufeff"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table as text, every cell quoted and none of them a formula."""
    written = io.StringIO()
    written.write(_BYTE_ORDER_MARK)
    table = csv.writer(written, quoting=csv.QUOTE_ALL)
    table.writerow([_cell(item) for item in header])
    table.writerows([_cell(item) for item in row] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> str:
    """Blanks in front do not hide a formula: some programs trim them."""
    text = str(value)
    return f"'{text}" if text.lstrip(_BLANKS).startswith(_FORMULA) else text
