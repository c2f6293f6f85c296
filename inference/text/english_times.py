"""Dates, years and times of day as English says them."""

from __future__ import annotations

import re
from typing import Final

from inference.text.rewriting import Rule

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DECADES: Final = {
    "10": "tens", "20": "twenties", "30": "thirties", "40": "forties", "50": "fifties",
    "60": "sixties", "70": "seventies", "80": "eighties", "90": "nineties",
}  # fmt: skip


def _year_first(match: re.Match[str]) -> str | None:
    return _date(match[1], match[2], match[3])


def _month_first(match: re.Match[str]) -> str | None:
    """12/25/2024; 25/12/2024, which can only begin with the day."""
    first, second, year = match.group(1, 2, 3)
    return _date(year, first, second) or _date(year, second, first)


def _date(year: str, month: str, day: str) -> str | None:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{_MONTHS[int(month) - 1]} {int(day)}, {_say_year(year)}"


def _say_year(year: str) -> str:
    first, last = year[:2], year[2:]
    if last == "00" or year.startswith("200"):
        return year
    return f"{first} oh {last[1]}" if last[0] == "0" else f"{first} {last}"


def _year(match: re.Match[str]) -> str:
    return _say_year(match[0])


def _decade(match: re.Match[str]) -> str:
    return f"{match[1] or ''} {_DECADES[match[2]]}".lstrip()


def _clock(match: re.Match[str]) -> str | None:
    """8:00 p.m., 8:00, 10:05; what eSpeak reads well, such as 10:30, is left."""
    hour, minute, half = match.group(1, 2, 3)
    if int(hour) > 24 or int(minute) > 59:
        return None
    if minute == "00":
        return f"{int(hour)}{half or ''}" if half else f"{int(hour)} o'clock"
    if minute[0] == "0":
        return f"{int(hour)} oh {minute[1]}{half or ''}"
    return match[0]


TIME_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<![\d/.-])(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d/-])"), _year_first),
    (
        re.compile(r"(?<![\d/.-])(\d{1,2})[-/.](\d{1,2})[-/.]((?:19|20)\d\d)(?![\d/-])"),
        _month_first,
    ),
    (
        re.compile(
            r"(?:(?<=\bin )|(?<=\bsince )|(?<=\bby )|(?<=\buntil )|(?<=\byear ))"
            r"(?:1[1-9]|20)\d{2}(?![\d.,]\d|\d|s\b)",
            re.IGNORECASE,
        ),
        _year,
    ),
    (re.compile(r"(?:\b(1[1-9]|20)|(?<=['’]))([1-9]0)s\b"), _decade),
    (
        re.compile(r"(?<![\d:.])(\d{1,2}):(\d\d)(?![\d:])(\s?[AaPp]\.?[Mm]\b)?"),
        _clock,
    ),
    # From one time to the next.
    (re.compile(r"(?<=:\d\d)\s?[-~–]\s?(?=\d{1,2}:\d\d)"), lambda match: " to "),
    # What no clock shows: 2:1, but no part of 12:00:30.
    (re.compile(r"(?<=\d)(?<!:\d\d):(?=\d+(?!\d|:\d\d))"), lambda match: " to "),
)
