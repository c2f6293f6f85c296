"""Money, shares, measures and ranges as English says them."""

from __future__ import annotations

import re
from typing import Final

from inference.text.rewriting import Rule

_NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TO: Final = r"\s?[-~–—]\s?"
# Singular, plural, hundredths.
_CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cents"),
    "€": ("euro", "euros", "cents"),
    "£": ("pound", "pounds", "pence"),
    "¥": ("yuan", "yuan", "fen"),
}
_SCALES: Final = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
# Written in any case.
_LONG_UNITS: Final = {
    "km/h": "kilometres an hour", "mph": "miles an hour", "kg": "kilograms", "km": "kilometres",
    "cm": "centimetres", "mm": "millimetres", "ml": "millilitres", "mg": "milligrams",
    "°c": "degrees Celsius", "°f": "degrees Fahrenheit", "gb": "gigabytes", "mb": "megabytes",
    "tb": "terabytes", "hrs": "hours", "hr": "hours", "mins": "minutes", "min": "minutes",
    "secs": "seconds", "sec": "seconds", "m²": "square metres", "m2": "square metres",
    "sq ft": "square feet", "lbs": "pounds", "lb": "pounds", "oz": "ounces", "ft": "feet",
    "mah": "milliamp hours", "hz": "hertz",
}  # fmt: skip
_SHORT_UNITS: Final = {"g": "grams", "L": "litres", "l": "litres", "W": "watts", "h": "hours"}
_ONE: Final = {"feet": "foot", "hertz": "hertz"}
_UNIT: Final = (
    rf"(?:(?i:{'|'.join(sorted(_LONG_UNITS, key=len, reverse=True))})"
    rf"|{'|'.join(_SHORT_UNITS)})(?![A-Za-z0-9])"
)
_PARTS: Final = {2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters")}


def _money(match: re.Match[str]) -> str:
    symbol, number, last, scale = match.group(1, 2, 3, 4)
    one, many, hundredths = _CURRENCIES[symbol]
    first = f"{number} to " if last else ""
    number = last or number
    if scale:
        return f"{first}{number} {_SCALES.get(scale.lower(), scale)} {many}"
    whole, _, rest = number.replace(",", "").partition(".")
    unit = one if int(whole) == 1 and not first else many
    if len(rest) != 2:
        return f"{first}{number} {many if rest else unit}"
    if int(rest) == 0:
        return f"{first}{whole} {unit}"
    cents = str(int(rest))
    return f"{cents} {hundredths}" if int(whole) == 0 else f"{first}{whole} {unit} {cents}"


def _fraction(match: re.Match[str]) -> str:
    whole, top, bottom = match[1], int(match[2]), int(match[3])
    if bottom not in _PARTS or top >= bottom:
        said = f"{top} {bottom}" if match[0] == "24/7" else f"{top} over {bottom}"
        return f"{whole} and {said}" if whole else said
    part = _PARTS[bottom][0 if top == 1 else 1]
    if whole:
        return f"{whole} and {'a' if top == 1 else top} {part}"
    return f"{top} {part}"


def _share_range(match: re.Match[str]) -> str:
    return f"{match[1]} to {match[2]}%"


def _range(match: re.Match[str]) -> str:
    return f"{match[1]} to {match[2]}"


def _measured(match: re.Match[str]) -> str:
    first, number, unit = match.group(1, 2, 3)
    many = _SHORT_UNITS.get(unit) or _LONG_UNITS[unit.lower()]
    if first:
        return f"{first} to {number} {many}"
    return f"{number} {_singular(many) if number == '1' else many}"


def _singular(many: str) -> str:
    """kilograms, degrees Celsius, miles an hour, square feet, of one."""
    words = many.split()
    place = 1 if words[0] in ("square", "milliamp") else 0
    words[place] = _ONE.get(words[place]) or words[place].removesuffix("s")
    return " ".join(words)


AMOUNT_RULES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            rf"([$€£¥])\s?({_NUMBER})(?:{_TO}[$€£¥]?({_NUMBER}))?"
            r"(?:\s?(k|m|bn|b|thousand|million|billion|trillion)\b)?",
            re.IGNORECASE,
        ),
        _money,
    ),
    (re.compile(rf"({_NUMBER})¥(?!\s?\d)"), lambda match: f"{match[1]} yuan"),
    (re.compile(rf"({_NUMBER})%?{_TO}({_NUMBER})%"), _share_range),
    (re.compile(r"(?<![\d/.])(?:(\d{1,3})\s)?(\d{1,3})/([1-9]\d{0,2})(?![\d/])"), _fraction),
    (re.compile(r"(?<=\d)\s?[x×*]\s?(?=\d)"), lambda match: " by "),
    (re.compile(r"(?<=\w)\s?[×*]\s?(?=\d)"), lambda match: " times "),
    (re.compile(rf"(?:(?<![\w.-])({_NUMBER}){_TO})?({_NUMBER})\s?({_UNIT})"), _measured),
    (re.compile(rf"(?<![\w.-])({_NUMBER}){_TO}({_NUMBER})(?![\d-])"), _range),
    (re.compile(r"~\s?(?=[\d$€£¥])"), lambda match: "about "),
)
