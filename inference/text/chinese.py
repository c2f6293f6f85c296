"""Mandarin text as it is spoken: numbers, money, times and units written out.

Each rule answers a misreading that was heard in eSpeak's phonemes; what it reads well is left.
"""

from __future__ import annotations

import re
from typing import Final

from inference.text.chinese_numbers import say_count, say_number, spell, spell_phone
from inference.text.chinese_readings import READING_RULES
from inference.text.rewriting import NormalisedText, Rule, drop_symbols, rewrite, unchanged

_NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TO: Final = r"\s*[-~～—–至到]\s*"
_SIGN: Final = r"(?<![\w.])[-−－]"
_NOT_IN_NUMBER: Final = r"(?![\d.]*\d)"

_UNITS: Final = {
    "kg": "公斤", "mg": "毫克", "g": "克", "km/h": "公里每小时", "km": "公里", "cm": "厘米",
    "mm": "毫米", "m²": "平方米", "㎡": "平方米", "m": "米", "ml": "毫升", "mL": "毫升",
    "L": "升", "GB": "G B", "TB": "T B", "℃": "摄氏度", "°C": "摄氏度", "°": "度",
    "w": "万", "W": "瓦", "h": "小时", "min": "分钟", "s": "秒",
}  # fmt: skip
_UNIT: Final = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_CURRENCIES: Final = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
# Before these, two is 两.
_MEASURES: Final = (
    "个件只台天位倍份瓶盒包袋双套款种箱年点周块张条杯片支根把本对斤袭米层步句场轮组批万千亿"
)
_MEASURE_WORDS: Final = "小时|分钟|秒|公斤|公里|厘米|毫升"


def normalise_chinese(text: str, own: tuple[Rule, ...] = ()) -> NormalisedText:
    """The text as eSpeak's Mandarin voice must get it, with the source of each character.

    own: rules that come before all others.
    """
    cleaned = drop_symbols(unchanged(text), keep="°℃㎡")
    return rewrite(rewrite(cleaned, (*own, *_NUMBER_RULES)), READING_RULES)


def _date(match: re.Match[str]) -> str | None:
    year, month, day = match.group(1, 2, 3)
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{spell(year)}年{say_count(month.lstrip('0'))}月{say_count(day.lstrip('0'))}日"


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
    """10:30, 10:05, 8:00; 3:2 is a score; 25:00 is left."""
    hour, minute, second = match.group(1, 2, 3)
    if len(minute) == 1 and second is None:
        return f"{say_count(hour)}比{say_count(minute)}"
    if int(hour) > 24 or len(minute) != 2 or int(minute) > 59:
        return None
    said = ("两" if int(hour) == 2 else say_count(str(int(hour)))) + "点"
    if int(minute) or second:
        said += _sixtieth(minute) + "分"
    return said + (_sixtieth(second) + "秒" if second else "")


def _sixtieth(digits: str) -> str:
    value = int(digits)
    return f"零{say_count(str(value))}" if 0 < value < 10 else say_count(str(value))


def _phone(match: re.Match[str]) -> str:
    digits = match[0]
    return "，".join(spell_phone(part) for part in (digits[:3], digits[3:7], digits[7:]))


def _dashed_phone(match: re.Match[str]) -> str:
    return "，".join(spell_phone(part) for part in re.split(r"[- ]", match[0]))


def _money(match: re.Match[str]) -> str:
    symbol, first, last, scale = match.group(1, 2, 3, 4)
    said = say_number(first) + (f"到{say_number(last)}" if last else "")
    return said + (scale or "") + _CURRENCIES[symbol]


def _percent(match: re.Match[str]) -> str:
    sign, first, last, symbol = match.group(1, 2, 3, 4)
    per = "百分之" if symbol in "%％" else "千分之"
    said = ("负" if sign else "") + per + say_number(first)
    return said + (f"到{per}{say_number(last)}" if last else "")


def _fraction(match: re.Match[str]) -> str | None:
    top, bottom = match.group(1, 2)
    if int(bottom) == 0 or int(top) >= int(bottom):
        return None
    return f"{say_count(bottom)}分之{say_count(top)}"


def _measured(match: re.Match[str]) -> str:
    sign, number, unit = match.group(1, 2, 3)
    return ("负" if sign else "") + _count_before(number, "公") + _UNITS[unit]


def _range(match: re.Match[str]) -> str:
    return f"{say_number(match[1])}到{say_number(match[2])}"


def _two(match: re.Match[str]) -> str:
    return "两"


def _until(match: re.Match[str]) -> str:
    return "到"


def _signed(match: re.Match[str]) -> str:
    return "负" + say_number(match[1])


def _plain(match: re.Match[str]) -> str:
    return say_number(match[0])


def _count_before(number: str, follower: str) -> str:
    return "两" if number == "2" and follower else say_number(number)


def _times(match: re.Match[str]) -> str:
    return f"{say_number(match[1])}乘{say_number(match[2])}"


_SYMBOLS: Final = {"+": "加", "=": "等于", "&": "和", "×": "乘", "%": "百分号", "~": "", "～": ""}


def _symbol(match: re.Match[str]) -> str:
    return _SYMBOLS[match[0]]


# Days of sales: said as names, not as numbers.
_SALES: Final = {"618": "六一八", "11.11": "双十一", "12.12": "双十二"}


def _sale(match: re.Match[str]) -> str:
    return _SALES[match[0]]


def _by(match: re.Match[str]) -> str:
    return "乘"


_NUMBER_RULES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            r"(?<![\d.,])(?:618|11\.11|12\.12)"
            r"(?=\s*(?:大促|年中|购物节|狂欢|活动|预售|返场|期间|当[天晚]|好价))"
        ),
        _sale,
    ),
    (re.compile(r"(?<!\d)(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)[日号]?"), _date),
    (re.compile(rf"(?<!\d)(\d{{4}})年?{_TO}(\d{{4}})年"), _year_range),
    (re.compile(r"(?<!\d)(\d{4})年"), _year),
    (re.compile(r"(?<![\d:])(\d{1,2})[:：](\d{1,2})(?:[:：](\d{2}))?(?![\d:：])"), _clock),
    (re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"), _phone),
    (re.compile(r"(?<!\d)(?:400|800|0\d{2,3})[- ]\d{3,4}[- ]?\d{3,4}(?!\d)"), _dashed_phone),
    (
        re.compile(
            rf"([¥￥$€£])\s*({_NUMBER})(?:{_TO}({_NUMBER}))?([万亿])?(?:元|美元|欧元|英镑)?"
        ),
        _money,
    ),
    (
        re.compile(rf"({_SIGN})?({_NUMBER})(?:[%％‰]?{_TO}({_NUMBER}))?\s*([%％‰])"),
        _percent,
    ),
    (re.compile(r"(?<![\d/.])(\d{1,3})/(\d{1,3})(?![\d/])"), _fraction),
    (re.compile(rf"(?<![\w.])({_NUMBER})\s*[×*xX]\s*({_NUMBER})(?![\w])"), _times),
    # 30x40cm, 500ml*2瓶: the numbers are read with their units.
    (re.compile(r"(?<=\d)\s*[×*xX]\s*(?=\d)|(?<=\w)\s*[×*]\s*(?=\d)"), _by),
    (re.compile(rf"({_SIGN})?({_NUMBER})\s*({_UNIT})(?![A-Za-z])"), _measured),
    (re.compile(rf"(?<![\w.-])({_NUMBER}){_TO}({_NUMBER})(?!\s*-?\d)"), _range),
    (re.compile(rf"(?<![\d.])2(?={_MEASURE_WORDS}|[{_MEASURES}])"), _two),
    (re.compile(r"(?<=:\d\d)\s*[-~～—–]\s*(?=\d{1,2}:)"), _until),
    (re.compile(rf"{_SIGN}({_NUMBER})"), _signed),
    (re.compile(rf"{_NUMBER}{_NOT_IN_NUMBER}"), _plain),
    (re.compile(r"\d+"), _plain),
    (re.compile("[" + re.escape("".join(_SYMBOLS)) + "]"), _symbol),
)
