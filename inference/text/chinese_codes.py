"""Figures that Mandarin says one by one: telephone numbers, codes, countdowns, versions."""

from __future__ import annotations

import re
from typing import Final

from inference.text.chinese_numbers import MEASURE, say_count, spell, spell_phone
from inference.text.rewriting import Rule

# Behind these, a number is a name: 拨打95588, 验证码 4321; QQ群123456789, but 群里500人.
_CODE_NAMES: Final = re.compile(
    r"(?:电话|热线|拨打|致电|[账房货款型单尾编工]号|密码|验证码|邀请码|口令|暗号|邮编)[号码是为：:\s]*$"
)
_ACCOUNT_NAMES: Final = re.compile(r"(?:客服|QQ|微信|群)[号码群是为：:\s]*$", re.IGNORECASE)
_ACCOUNT_DIGITS: Final = 5
_LOOK_BACK_CHARACTERS: Final = 12


def _mobile(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[2])
    said = "，".join(spell_phone(part) for part in (digits[:3], digits[3:7], digits[7:]))
    return f"加{spell_phone('86')}，{said}" if match[1] else said


def _dashed_phone(match: re.Match[str]) -> str:
    return "，".join(spell_phone(part) for part in re.split(r"[- ]", match[0]))


def _service_phone(match: re.Match[str]) -> str:
    return "，".join(spell_phone(part) for part in match.group(1, 2, 3))


def _code(match: re.Match[str]) -> str | None:
    """Only what stands behind the name of a code."""
    before = match.string[max(0, match.start() - _LOOK_BACK_CHARACTERS) : match.start()]
    if _CODE_NAMES.search(before):
        return spell_phone(match[0])
    is_account = len(match[0]) >= _ACCOUNT_DIGITS and _ACCOUNT_NAMES.search(before)
    return spell_phone(match[0]) if is_account else None


def _figures(match: re.Match[str]) -> str:
    return spell(match[0])


def _version(match: re.Match[str]) -> str:
    return "点".join(say_count(part) for part in match[0].split("."))


CODE_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<!\d)(\+?86[- ]?)?(1[3-9]\d[- ]?\d{4}[- ]?\d{4})(?!\d)"), _mobile),
    (re.compile(r"(?<!\d)(?:400|800|0\d{2,3})[- ]\d{3,4}[- ]?\d{3,4}(?!\d)"), _dashed_phone),
    (re.compile(r"(?<!\d)([48]00)(\d{3})(\d{4})(?![\d.,元])"), _service_phone),
    (re.compile(r"(?<![\d.,])\d{3,}(?![.,]?\d|[元块折%])"), _code),
    # 3 2 1 上链接, 扣666: counted down and typed, not counted.
    (re.compile(r"(?<![\d.,])321(?=[,，、!！\s]*[上开抢冲走])"), _figures),
    (re.compile(r"(?:(?<=[扣刷])|(?<=公屏打)|(?<=打出))(\d)\1+(?![\d.,折元块分%])"), _figures),
    # A length or price that goes on without its smaller unit: 1米75, 9块99.
    (re.compile(rf"(?<=\d[米块])\d\d(?![\d.,]|\s*{MEASURE})"), _figures),
    (re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.]*\d)"), _version),
)
