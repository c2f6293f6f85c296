"""Numbers as Mandarin says them."""

from __future__ import annotations

from typing import Final

# As written: 1,299.50.
NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
# Between the ends of a range.
TO: Final = r"\s*[-~–—至到]\s*"
# What is counted: before these, two is 两. 2次元 is a word of its own.
MEASURE: Final = (
    r"(?:[个件只台天位倍份瓶盒包袋双套款种箱年点周块张条杯片支根把本对斤袭米层步句场轮组批万千亿"
    r"元人家名克升吨碗罐桶颗粒枚朵辆部首束串副遍趟顿口间滴勺圈页段道岁]"
    r"|次(?!元)|美元|欧元|英镑|小时|分钟|秒|公斤|公里|厘米|毫升)"
)

_DIGITS: Final = "零一二三四五六七八九"
_PLACES: Final = ("", "十", "百", "千")
_GROUPS: Final = ("", "万", "亿", "万亿")
_LONGEST_COUNT: Final = 13  # longer strings of digits are codes and are spelled
# Spelled 一 keeps its first tone; eSpeak would bend it before the next syllable (一年).
_SPELLED_ONE: Final = "yi1"
_PHONE_ONE: Final = "幺"


def say_count(digits: str) -> str:
    """An unsigned whole number, e.g. 1050 -> 一千零五十. Codes (007, 14 digits) are spelled."""
    if len(digits) > _LONGEST_COUNT or (len(digits) > 1 and digits[0] == "0"):
        return spell(digits)
    if int(digits) == 0:
        return "零"
    said = _say_groups(digits)
    return said[1:] if said.startswith("一十") else said


def say_number(text: str) -> str:
    """An unsigned decimal, thousands separators allowed: 1,299.50 -> 一千二百九十九点五零."""
    whole, _, fraction = text.replace(",", "").partition(".")
    if not fraction:
        return say_count(whole)
    return say_count(whole) + "点" + spell(fraction)


def spell(digits: str) -> str:
    """Digit by digit: 2021 -> 二零二yi1 (pinyin, so that its tone stays)."""
    return "".join(_SPELLED_ONE if digit == "1" else _DIGITS[int(digit)] for digit in digits)


def spell_phone(digits: str) -> str:
    """Digit by digit as telephone numbers are said, with 幺 for one."""
    return "".join(_PHONE_ONE if digit == "1" else _DIGITS[int(digit)] for digit in digits)


def _say_groups(digits: str) -> str:
    groups = []
    while digits:
        groups.append(digits[-4:])
        digits = digits[:-4]
    said = ""
    for index in range(len(groups) - 1, -1, -1):
        value = int(groups[index])
        if value == 0:
            continue
        # A gap of zeros inside the number is one 零.
        gap = said != "" and (value < 1000 or int(groups[index + 1]) == 0)
        said += ("零" if gap else "") + _say_scaled(value, index, leading=said == "")
    return said


def _say_scaled(value: int, index: int, *, leading: bool) -> str:
    if value == 2 and leading and index > 0:
        return "两" + _GROUPS[index]
    return _say_group(value, leading=leading) + _GROUPS[index]


def _say_group(value: int, *, leading: bool) -> str:
    said = ""
    pending_zero = False
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if digit == 0:
            pending_zero = said != ""
            continue
        said += ("零" if pending_zero else "") + _digit_at(digit, place, leading=leading)
        pending_zero = False
        leading = False
    return said


def _digit_at(digit: int, place: int, *, leading: bool) -> str:
    if digit == 2 and leading and place == 3:
        return "两千"
    return _DIGITS[digit] + _PLACES[place]
