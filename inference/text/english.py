"""English text as it is spoken: what eSpeak's own rules read badly, and no more."""

from __future__ import annotations

import re
from typing import Final

from inference.text.rewriting import NormalisedText, Rule, drop_symbols, rewrite, unchanged

_NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
# Singular, plural, hundredths.
_CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cents"),
    "€": ("euro", "euros", "cents"),
    "£": ("pound", "pounds", "pence"),
    "¥": ("yuan", "yuan", "fen"),
    "￥": ("yuan", "yuan", "fen"),
}
_SCALES: Final = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
_TITLES: Final = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor",
    "St": "Saint", "vs": "versus", "approx": "approximately", "dept": "department",
    "Jr": "Junior", "Sr": "Senior",
}  # fmt: skip
_UNITS: Final = {
    "km/h": "kilometres an hour", "mph": "miles an hour", "kg": "kilograms", "km": "kilometres",
    "cm": "centimetres", "mm": "millimetres", "ml": "millilitres", "mg": "milligrams",
    "°C": "degrees Celsius", "℃": "degrees Celsius", "°F": "degrees Fahrenheit",
    "GB": "gigabytes", "MB": "megabytes", "TB": "terabytes", "hrs": "hours", "mins": "minutes",
}  # fmt: skip
_UNIT: Final = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_PARTS: Final = {2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters")}


def normalise_english(text: str, own: tuple[Rule, ...] = ()) -> NormalisedText:
    """The text as eSpeak's English voice must get it, with the source of each character.

    own: rules that come before all others.
    """
    return rewrite(drop_symbols(unchanged(text), keep="°℃"), (*own, *_RULES))


def _money(match: re.Match[str]) -> str:
    symbol, number, scale = match.group(1, 2, 3)
    one, many, hundredths = _CURRENCIES[symbol]
    if scale:
        return f"{number} {_SCALES[scale.lower()]} {many}"
    whole, _, rest = number.replace(",", "").partition(".")
    unit = one if int(whole) == 1 else many
    if len(rest) != 2:
        return f"{number} {many if rest else unit}"
    if int(rest) == 0:
        return f"{whole} {unit}"
    cents = str(int(rest))
    return f"{cents} {hundredths}" if int(whole) == 0 else f"{whole} {unit} {cents}"


def _fraction(match: re.Match[str]) -> str | None:
    top, bottom = int(match[1]), int(match[2])
    if bottom not in _PARTS or top >= bottom:
        return f"{top} {bottom}" if match[0] == "24/7" else f"{top} over {bottom}"
    return f"{top} {_PARTS[bottom][0 if top == 1 else 1]}"


def _year(match: re.Match[str]) -> str | None:
    first, last = match[0][:2], match[0][2:]
    if last == "00" or match[0].startswith("200"):
        return None
    return f"{first} oh {last[1]}" if last[0] == "0" else f"{first} {last}"


def _range(match: re.Match[str]) -> str:
    return f"{match[1]} to {match[2]}"


def _unit(match: re.Match[str]) -> str:
    return f"{match[1]} {_UNITS[match[2]]}"


_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(rf"([$€£¥￥])\s?({_NUMBER})(?:\s?(k|m|bn|b)\b)?", re.IGNORECASE), _money),
    (re.compile(r"(?<![\d/.])(\d{1,3})/([1-9]\d{0,2})(?![\d/])"), _fraction),
    (
        re.compile(
            r"(?:(?<=\bin )|(?<=\bsince )|(?<=\bby )|(?<=\buntil )|(?<=\byear ))"
            r"(?:1[1-9]|20)\d{2}(?![\d.,]\d|\d)",
            re.IGNORECASE,
        ),
        _year,
    ),
    (re.compile(rf"({_NUMBER})\s?({_UNIT})(?![A-Za-z])"), _unit),
    (re.compile(rf"(?<![\w.-])({_NUMBER})\s?[-–—]\s?({_NUMBER})(?![\d-])"), _range),
    (re.compile(r"\bNo\.\s?(?=\d)"), lambda match: "number "),
    (re.compile(r"#(?=\d)"), lambda match: "number "),
    (
        re.compile(r"\b(" + "|".join(sorted(_TITLES, key=len, reverse=True)) + r")\.(?=\s)"),
        lambda match: _TITLES[match[1]],
    ),
)
