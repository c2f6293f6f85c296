"""Dates, years, times of day and days of sales as Mandarin says them."""

from __future__ import annotations

import re
from typing import Final

from inference.text.chinese_numbers import NUMBER, TO, say_count, say_number, spell
from inference.text.rewriting import Rule

# Days of sales: said as names, not as numbers.
_SALES: Final = {"11.11": "双十一", "12.12": "双十二", "11·11": "双十一", "12·12": "双十二"}


_RATIO_NAMES: Final = re.compile(r"(?:比例|比分|[配占]比)[是为：:\s]*$")
_LOOK_BACK_CHARACTERS: Final = 8


def _sale(match: re.Match[str]) -> str:
    """618, 3.8, 6·18: figure by figure."""
    return _SALES.get(match[0]) or spell(re.sub(r"\D", "", match[0]))


def _date(match: re.Match[str]) -> str | None:
    year, month, day = match.group(1, 2, 3)
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    said = f"{spell(year)}年{say_count(month.lstrip('0'))}月{say_count(day.lstrip('0'))}日"
    return said + ("到" if match[4] else "")


def _year(match: re.Match[str]) -> str | None:
    return f"{spell(match[1])}年" if _is_year(match[1]) else None


def _year_range(match: re.Match[str]) -> str | None:
    first, last = match.group(1, 2)
    if not (_is_year(first) and _is_year(last)):
        return None
    return f"{spell(first)}到{spell(last)}年"


def _is_year(digits: str) -> bool:
    return digits == "2000" or (1100 <= int(digits) <= 2199 and not digits.endswith("000"))


def _clock(match: re.Match[str]) -> str | None:
    """10:30, 10:05, 8:00; 25:00 is left."""
    hour, minute, second = match.group(1, 2, 3)
    if int(hour) > 24 or int(minute) > 59:
        return None
    said = ("两" if int(hour) == 2 else say_count(str(int(hour)))) + "点"
    if int(minute) or second:
        said += _sixtieth(minute) + "分"
    return said + (_sixtieth(second) + "秒" if second else "")


def _sixtieth(digits: str) -> str:
    value = int(digits)
    return f"零{say_count(str(value))}" if 0 < value < 10 else say_count(str(value))


def _named_ratio(match: re.Match[str]) -> str | None:
    """9:16 is a time unless it stands behind the name of a ratio."""
    before = match.string[max(0, match.start() - _LOOK_BACK_CHARACTERS) : match.start()]
    if not _RATIO_NAMES.search(before):
        return None
    return f"{say_number(match[1])}比{say_number(match[2])}"


def _generation(match: re.Match[str]) -> str:
    """90后, 80、90后: two figures, each said."""
    return spell(match[0])


TIME_RULES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            r"(?<![\d.,])(?:618|520|11\.11|12\.12)"
            r"(?=\s*(?:大促|年中|购物节|狂欢|活动|预售|返场|期间|当[天晚]|好价|礼[物盒]|告白|表白))"
        ),
        _sale,
    ),
    (re.compile(r"(?<![\d.,])(?:3\.?8|5\.?20)(?=\s*(?:妇女|女[神王生]|大促)?节)"), _sale),
    (re.compile(r"(?<![\d.])\d{1,2}·\d{1,2}(?![\d.])"), _sale),
    (
        re.compile(
            r"(?<!\d)(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)[日号]?"
            rf"({TO}(?=\d{{1,4}}[-/.年月]\d))?"
        ),
        _date,
    ),
    (re.compile(rf"(?<!\d)(\d{{4}})年?{TO}(\d{{4}})年"), _year_range),
    (re.compile(r"(?<!\d)(\d{4})年"), _year),
    (
        re.compile(
            r"(?<![\d满买够到达过减付第拍花])(?:[5-9][05]|0[05])"
            r"(?=(?:[、,，/和]?\d[05])?后(?![面天来续台期半年]))"
        ),
        _generation,
    ),
    (re.compile(rf"({NUMBER})[:：]({NUMBER})"), _named_ratio),
    (
        re.compile(r"(?<![\d.])(?<!\d[:：])(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?(?!\d|[:：]\d)"),
        _clock,
    ),
    # What no clock shows: 2:1, 2.5:1, 1:2:3.
    (re.compile(r"(?<=\d)[:：](?=\d)"), lambda match: "比"),
)
