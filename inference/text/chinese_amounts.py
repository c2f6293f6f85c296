"""Money, shares, measures and ranges as Mandarin says them."""

from __future__ import annotations

import re
from typing import Final

from inference.text.chinese_numbers import MEASURE, NUMBER, TO, say_count, say_number
from inference.text.rewriting import Rule

_SIGN: Final = r"(?<![\w.])-"
_NOT_IN_NUMBER: Final = r"(?![\d.]*\d)"
_CURRENCIES: Final = {
    "¥": "元", "$": "美元", "€": "欧元", "£": "英镑", "₩": "韩元", "US$": "美元", "HK$": "港元",
    "NT$": "新台币", "RMB": "元", "CNY": "元",
}  # fmt: skip
_CURRENCY: Final = "|".join(re.escape(sign) for sign in sorted(_CURRENCIES, key=len, reverse=True))

# Written in any case; the letters of one-letter units mean different things.
_LONG_UNITS: Final = {
    "kg": "公斤", "mg": "毫克", "μg": "微克", "mcg": "微克", "km": "公里", "cm": "厘米",
    "mm": "毫米", "μm": "微米", "ml": "毫升", "m²": "平方米", "cm²": "平方厘米", "mm²": "平方毫米",
    "km²": "平方公里", "m³": "立方米", "cm³": "立方厘米", "gb": "G B", "tb": "T B", "mb": "M B",
    "min": "分钟", "mah": "毫安时", "kw": "千瓦", "kwh": "千瓦时", "wh": "瓦时", "hz": "赫兹",
    "db": "分贝", "kcal": "千卡", "kj": "千焦", "°c": "摄氏度", "°f": "华氏度",
}  # fmt: skip
_SHORT_UNITS: Final = {
    "g": "克", "m": "米", "m2": "平方米", "m3": "立方米", "L": "升", "°": "度", "″": "英寸",
    "nm": "纳米", "w": "万", "W": "瓦", "h": "小时", "s": "秒",
}  # fmt: skip


def _alternatives(units: dict[str, str]) -> str:
    return "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))


_UNIT: Final = rf"(?:(?i:{_alternatives(_LONG_UNITS)})|{_alternatives(_SHORT_UNITS)})(?![A-Za-z])"

_MEASURE: Final = re.compile(MEASURE)


def _two(match: re.Match[str]) -> str:
    return "两"


def _price(digits: str) -> str:
    """Without the zeros that say nothing: 1,299.00, 9.90."""
    whole, _, hundredths = digits.partition(".")
    hundredths = hundredths.rstrip("0")
    return _measure(f"{whole}.{hundredths}" if hundredths else whole)


def _measure(digits: str) -> str:
    return "两" if digits == "2" else say_number(digits)


def _money(match: re.Match[str]) -> str:
    symbol, first, first_scale, last, scale = match.group(1, 2, 3, 4, 5)
    said = _price(first) + (first_scale or "")
    if last:
        said += "到" + _price(last) + (scale or "")
    return said + _CURRENCIES[symbol.upper()]


def _money_behind(match: re.Match[str]) -> str:
    return _price(match[1]) + "元"


def _priced(match: re.Match[str]) -> str:
    return _price(match[0])


def _percent(match: re.Match[str]) -> str:
    sign, first, last, symbol = match.group(1, 2, 3, 4)
    per = "百分之" if symbol == "%" else "千分之"
    said = ("负" if sign else "") + per + say_number(first)
    return said + (f"到{per}{say_number(last)}" if last else "")


def _fraction(match: re.Match[str]) -> str | None:
    whole, top, bottom = match.group(1, 2, 3)
    if int(bottom) == 0 or int(top) >= int(bottom):
        return None
    part = f"{say_count(bottom)}分之{say_count(top)}"
    return f"{say_count(whole)}又{part}" if whole else part


def _measured(match: re.Match[str]) -> str:
    first, sign, number, unit, per = match.group(1, 2, 3, 4, 5)
    said = _measure(first) + "到" if first else "负" if sign else ""
    return said + _measure(number) + _unit(unit) + (f"每{_unit(per)}" if per else "")


def _per_unit(match: re.Match[str]) -> str:
    return f"每{_unit(match[1])}"


def _per(match: re.Match[str]) -> str:
    return "每"


def _unit(written: str) -> str:
    return _SHORT_UNITS.get(written) or _LONG_UNITS[written.lower()]


def _ten_thousand(match: re.Match[str]) -> str:
    return say_number(match[1]) + "万"


def _reduction(match: re.Match[str]) -> str:
    return f"{say_number(match[1])}减{say_number(match[2])}"


def _range(match: re.Match[str]) -> str:
    """2-3件 with 两, 第2-3名 with 二."""
    text, start = match.string, match.start()
    is_count = _MEASURE.match(text, match.end()) and text[start - 1 : start] != "第"
    say = _measure if is_count else say_number
    return f"{say(match[1])}到{say(match[2])}"


def _until(match: re.Match[str]) -> str:
    return "到"


def _signed(match: re.Match[str]) -> str:
    return "负" + say_number(match[1])


def _plain(match: re.Match[str]) -> str:
    return say_number(match[0])


def _times(match: re.Match[str]) -> str:
    return f"{say_number(match[1])}乘{say_number(match[2])}"


def _by(match: re.Match[str]) -> str:
    return "乘"


AMOUNT_RULES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            rf"((?i:{_CURRENCY}))\s*({NUMBER})([万亿])?"
            rf"(?:{TO}[¥$€£₩]?({NUMBER})([万亿])?)?(?:元|美元|欧元|英镑|港元)?"
        ),
        _money,
    ),
    (re.compile(rf"({NUMBER})\s*¥(?!\s*\d)"), _money_behind),
    (re.compile(r"(?<![\d.,])\d[\d,]*\.\d+(?=\s*(?:元|块|美元))"), _priced),
    (re.compile(rf"({_SIGN})?({NUMBER})(?:[%‰]?{TO}({NUMBER}))?\s*([%‰])"), _percent),
    (re.compile(r"(?<![\d/.])(?:(\d{1,3})\s)?(\d{1,3})/(\d{1,3})(?![\d/])"), _fraction),
    (re.compile(rf"(?<![\w.])({NUMBER})\s*[×*xX]\s*({NUMBER})(?![\w])"), _times),
    # 30x40cm, 500ml*2瓶: the numbers are read with their units.
    (re.compile(r"(?<=\d)\s*[×*xX]\s*(?=\d)|(?<=\w)\s*[×*]\s*(?=\d)"), _by),
    (re.compile(rf"({NUMBER})\s*W(?=\+(?![\dA-Za-z])|[人粉元件单次])"), _ten_thousand),
    (
        re.compile(
            rf"(?:(?<![A-Za-z\d_.-])({NUMBER}){TO}|({_SIGN}))?({NUMBER})\s*({_UNIT})(?:/({_UNIT}))?"
        ),
        _measured,
    ),
    (re.compile(rf"(?<=[\d\u4e00-\u9fff])/({_UNIT})"), _per_unit),
    (
        re.compile(
            rf"(?:(?<=[\d元角分块])|(?<=\d[片粒颗袋包瓶支个件次克]))/(?={MEASURE}|[月日晚])"
        ),
        _per,
    ),
    (re.compile(rf"(?<=满)({NUMBER})-({NUMBER})(?![\d-])"), _reduction),
    (re.compile(rf"(?<![A-Za-z\d_.-])({NUMBER}){TO}({NUMBER})(?!\s*-?\d)"), _range),
    (re.compile(rf"(?<![\d.第])2(?={MEASURE})"), _two),
    # Between two dates, times or prices.
    (re.compile(r"(?:(?<=:\d\d)|(?<=[日号月年点分元万%C]))\s*[-~–]\s*(?=[-¥$€£]?\d)"), _until),
    (re.compile(r"(?<=\d)\s*[~–]\s*(?=[-¥$€£]?\d)"), _until),
    (re.compile(rf"{_SIGN}({NUMBER})"), _signed),
    (re.compile(rf"{NUMBER}{_NOT_IN_NUMBER}"), _plain),
    (re.compile(r"\d+"), _plain),
)
