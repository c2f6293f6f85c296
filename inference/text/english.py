"""English text as it is spoken: what eSpeak's own rules read badly, and no more."""

from __future__ import annotations

import re
from typing import Final

from inference.text.characters import spoken_characters
from inference.text.english_amounts import AMOUNT_RULES
from inference.text.english_times import TIME_RULES
from inference.text.rewriting import NormalisedText, Rule, rewrite

_TITLES: Final = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor",
    "Mt": "Mount", "vs": "versus", "approx": "approximately", "dept": "department",
    "Jr": "Junior", "Sr": "Senior",
}  # fmt: skip
# North American numbers, with or without the 1; longer rows of figures are codes.
_PHONE: Final = re.compile(r"(?<![\d.-])(?:\+?1[-. ])?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}(?![\d-])")
_CODE: Final = re.compile(r"(?<![\d.,])\d{11,}(?!\d|[.,]\d)")
# Read out by name, though nothing is meant: *bold*, #sale, an arrow.
_DECORATION: Final = re.compile(r"[*#~\\←↑→↓↔]")


def normalise_english(text: str, own: tuple[Rule, ...] = ()) -> NormalisedText:
    """The text as eSpeak's English voice must get it, with the source of each character.

    own: rules that come before all others.
    """
    return rewrite(spoken_characters(text), (*own, *_RULES))


def _phone(match: re.Match[str]) -> str:
    return ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))


def _saint(match: re.Match[str]) -> str:
    return "Saint" if re.match(r"\s+[A-Z]", match.string[match.end() :]) else "Street"


_RULES: Final[tuple[Rule, ...]] = (
    (_PHONE, _phone),
    (_CODE, lambda match: " ".join(match[0])),
    *TIME_RULES,
    *AMOUNT_RULES,
    (re.compile(r"\bNo\.\s?(?=\d)"), lambda match: "number "),
    (re.compile(r"#(?=\d)"), lambda match: "number "),
    (re.compile(r"\bSt\.(?=\s)"), _saint),
    (
        re.compile(r"\b(" + "|".join(sorted(_TITLES, key=len, reverse=True)) + r")\.(?=\s)"),
        lambda match: _TITLES[match[1]],
    ),
    (re.compile(r"\bw/o\b"), lambda match: "without"),
    (re.compile(r"\bw/\s?(?=\w)"), lambda match: "with "),
    (re.compile(r"\band/or\b", re.IGNORECASE), lambda match: "and or"),
    (_DECORATION, lambda match: ""),
)
