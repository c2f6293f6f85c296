"""Tables as CSV that spreadsheets open without running anything in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

# What a spreadsheet takes for the beginning of a formula (OWASP: CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
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
    """Spaces in front do not hide a formula: some programs trim them."""
    text = str(value)
    is_formula = text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA)
    return f"'{text}" if is_formula else text
