"""Mandarin text as it is spoken: numbers, money, times and units written out.

Each rule answers a misreading that was heard in eSpeak's phonemes; what it reads well is left.
"""

from __future__ import annotations

import re
from typing import Final

from inference.text.characters import spoken_characters
from inference.text.chinese_amounts import AMOUNT_RULES
from inference.text.chinese_codes import CODE_RULES
from inference.text.chinese_readings import READING_RULES
from inference.text.chinese_times import TIME_RULES
from inference.text.pinyin import read_syllables
from inference.text.rewriting import NormalisedText, Rule, rewrite

# eSpeak says the names of these in English, or nothing where something is meant.
_SYMBOLS: Final = {
    "+": "加", "=": "等于", "&": "和", "×": "乘", "÷": "除以", "%": "百分号", "≈": "约",
    "±": "正负", "≥": "大于等于", "≤": "小于等于", "@": "艾特", "/": "，", "²": "的平方",
    "³": "的立方", "~": "", "*": "", "#": "", "\\": "", "↑": "", "↓": "",
}  # fmt: skip


def normalise_chinese(text: str, own: tuple[Rule, ...] = ()) -> NormalisedText:
    """The text as eSpeak's Mandarin voice must get it, with the source of each character.

    own: rules that come before all others.
    """
    written_out = rewrite(spoken_characters(text), (*own, *_RULES))
    return rewrite(written_out, READING_RULES)


def _pinyin(match: re.Match[str]) -> str | None:
    """他huan2钱: a host's own reading; nova5 is none."""
    syllables = read_syllables(match[0])
    if not all(syllable.exists for syllable in syllables):
        return None
    return "".join(syllable.for_espeak for syllable in syllables)


def _compared(match: re.Match[str]) -> str:
    return "大于" if match[0] == ">" else "小于"


def _symbol(match: re.Match[str]) -> str:
    return _SYMBOLS[match[0]]


_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<![A-Za-z\d])(?:[a-z]{2,6}[1-5])+(?![A-Za-z\d])"), _pinyin),
    *TIME_RULES,
    *CODE_RULES,
    (re.compile(r"\bN[oO]\.?\s?(?=\d)"), lambda match: "第"),
    (re.compile(r"(?<=\d)#(?!\d)"), lambda match: "号"),
    (
        re.compile(r"(?<![A-Za-z\"'/])[<>](?=\s*\d)"),
        lambda match: "大于" if match[0] == ">" else "小于",
    ),
    *AMOUNT_RULES,
    (re.compile("[" + re.escape("".join(_SYMBOLS)) + "]"), _symbol),
    # Rare characters, which eSpeak would spell by their code points.
    (re.compile("[\U00020000-\U0003ffff]"), lambda match: ""),
)
