"""Characters in the form that a voice can say: composed, plain, without what has no sound."""

from __future__ import annotations

import unicodedata
from typing import Final

from inference.text.rewriting import NormalisedText

# Symbol kinds that eSpeak would read out by their Unicode names ("red heart").
_UNSPOKEN_CATEGORIES: Final = {"So", "Sk", "Cf", "Co", "Cn", "Cs"}
_SPOKEN_SYMBOLS: Final = "°"
# Marks that stand over or through any letter (struck-out prices, keycaps). Those that a script of
# its own needs are elsewhere.
_MARKS: Final = (
    (0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F), (0xE0100, 0xE01EF),
)  # fmt: skip
# What looks like a sign of ASCII and means it.
_LIKE: Final = {
    "−": "-", "‐": "-", "‑": "-", "﹣": "-", "∼": "~", "〜": "~", "∶": ":", "⁄": "/", "℃": "°C",
    "℉": "°F",
}  # fmt: skip
_SENTENCE_MARKS: Final = "！（），：；？"
_SPECIAL_FORMS: Final = ("<compat>", "<wide>", "<square>", "<circle>")


def spoken_characters(text: str) -> NormalisedText:
    """The text without emoji and struck-out letters; １ as 1, ㎏ as kg, ½ as 1/2."""
    spoken: list[str] = []
    sources: list[int] = []
    before = ""
    for position, character in enumerate(text):
        if _is_loose_mark(character):
            _compose(spoken, character)
            continue
        plain = character if character.isascii() else _plain(character)
        # ①② is not 12, nor 1½ 11/2.
        if spoken and spoken[-1].isdigit() and (_is_whole(before) or _is_whole(character)):
            plain = " " + plain if plain[:1].isdigit() else plain
        kept = [_spoken(piece) for piece in plain if not _is_unspoken(piece)]
        spoken += kept
        sources += [position] * len(kept)
        before = character
    return NormalisedText("".join(spoken), tuple(sources))


def _is_whole(character: str) -> bool:
    """Whether the character is a number that no other figure belongs to: ①, Ⅲ, ½."""
    return unicodedata.category(character or " ") in ("No", "Nl") and not (
        unicodedata.decomposition(character).startswith(("<sub>", "<super>"))
    )


def _is_loose_mark(character: str) -> bool:
    code = ord(character)
    return code >= _MARKS[0][0] and any(first <= code <= last for first, last in _MARKS)


def _compose(spoken: list[str], mark: str) -> None:
    """Put the mark on the letter before it where that makes one letter; it has no other sound."""
    if spoken and len(composed := unicodedata.normalize("NFC", spoken[-1] + mark)) == 1:
        spoken[-1] = composed


def _plain(character: str) -> str:
    if character in _LIKE:
        return _LIKE[character]
    category = unicodedata.category(character)
    if category[0] == "N":
        return _number(character)
    if category[0] == "L":
        return unicodedata.normalize("NFKC", character)
    form, _, codes = unicodedata.decomposition(character).partition(" ")
    forms = ("<wide>",) if category[0] == "P" else _SPECIAL_FORMS
    if form not in forms or character in _SENTENCE_MARKS:
        return character
    return "".join(chr(int(code, 16)) for code in codes.split())


def _number(character: str) -> str:
    """Ⅲ, ③, ₃ and ❸ as 3, ½ as 1/2; raised ones are powers and stay."""
    form = unicodedata.decomposition(character)
    if form.startswith("<super>") or not (form or unicodedata.category(character) != "Nl"):
        return character
    if form.startswith("<fraction>"):
        return unicodedata.normalize("NFKC", character).replace("⁄", "/")
    value = unicodedata.numeric(character)
    return str(int(value)) if value.is_integer() else character


def _spoken(character: str) -> str:
    """Control characters, line breaks among them, become spaces."""
    return " " if unicodedata.category(character) == "Cc" else character


def _is_unspoken(character: str) -> bool:
    if character.isspace() or character in _SPOKEN_SYMBOLS:
        return False
    return unicodedata.category(character) in _UNSPOKEN_CATEGORIES
