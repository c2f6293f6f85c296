"""Cutting Chinese and English text into sentences that are spoken one at a time."""

from __future__ import annotations

import re
from typing import Final

# A sentence is too long at 80 Chinese or 200 other characters, or a mixture of that weight.
_CHINESE_LIMIT: Final = 80
_OTHER_LIMIT: Final = 200
_CHINESE: Final = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")

_ALWAYS_END: Final = "。！？；…"
_MAYBE_END: Final = ".!?;"  # also inside decimals, abbreviations and addresses
_CLOSERS: Final = "”’\"')）】」』》]}"
_COMMA: Final = re.compile(r"[，、：——]|[,:](?!\d)")
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Never the end of a sentence: a name or number follows.
_TITLES: Final = frozenset("mr mrs ms dr prof st vs e.g i.e fig approx gen rev hon mt".split())
# The end of a sentence only when the next word starts with a capital.
_MAY_END: Final = frozenset("etc a.m p.m inc ltd co jr sr u.s u.k ph.d no dept".split())

Span = tuple[int, int]


def split_sentences(text: str) -> list[Span]:
    """(start, end) of each sentence in `text`, without surrounding space; none without words."""
    spans = []
    for start, end in _rough_spans(text):
        spans += _cut_long(text, *_stripped(text, start, end))
    return [span for span in spans if _is_speakable(text[span[0] : span[1]])]


def _rough_spans(text: str) -> list[Span]:
    addresses = [match.span() for match in _ADDRESS.finditer(text)]
    spans: list[Span] = []
    start = position = 0
    while position < len(text):
        end = _sentence_end(text, start, position, addresses)
        if end is None:
            position += 1
            continue
        spans.append((start, end))
        start = position = end
    spans.append((start, len(text)))
    return spans


def _sentence_end(text: str, start: int, position: int, addresses: list[Span]) -> int | None:
    """Where the sentence ends if the character at `position` ends one."""
    character = text[position]
    if character == "\n":
        return position + 1
    if character not in _ALWAYS_END + _MAYBE_END:
        return None
    if any(first <= position < last - 1 for first, last in addresses):
        return None
    end = position + 1
    while end < len(text) and text[end] in _ALWAYS_END + _MAYBE_END:
        end += 1
    marks_end = end
    while end < len(text) and text[end] in _CLOSERS:
        end += 1
    if _goes_on(text, start, position, marks_end, end):
        return None
    return end


def _goes_on(text: str, start: int, position: int, marks_end: int, end: int) -> bool:
    """Whether the sentence continues behind marks at `position` that closers follow to `end`."""
    rest = text[end:]
    following = rest.lstrip(" \t")
    if end > marks_end and following[:1].islower():
        return True  # "Really?" she said.
    if text[position] in _ALWAYS_END:
        return False
    if rest[:1] and not rest[0].isspace() and not _CHINESE.match(rest[0]):
        return not _starts_quote(rest[0])
    if text[position] != "." or marks_end - position > 1:
        return False
    return _is_abbreviation(text[start:position], following)


def _starts_quote(character: str) -> bool:
    return character in "“‘「『（(["


def _is_abbreviation(before: str, following: str) -> bool:
    words = before.split()
    word = words[-1].lstrip("“‘\"'(（[").lower() if words else ""
    if len(words) == 1 and word.isdigit():
        return True  # "1. First of all": the number of a list
    if word in _TITLES or (len(word) == 1 and word.isalpha() and word != "i"):
        return True
    if word == "no":
        return following[:1].isdigit()
    return word in _MAY_END and following[:1] != "" and not following[0].isupper()


def _cut_long(text: str, start: int, end: int) -> list[Span]:
    pieces = []
    while (limit := _too_long_at(text, start, end)) is not None:
        cut = _best_cut(text, start, limit)
        pieces.append(_stripped(text, start, cut))
        start = cut
    pieces.append(_stripped(text, start, end))
    return pieces


def _too_long_at(text: str, start: int, end: int) -> int | None:
    """The position up to which the sentence fits, None when all of it fits."""
    weight = 0.0
    for position in range(start, end):
        is_chinese = _CHINESE.match(text[position]) is not None
        weight += 1 / (_CHINESE_LIMIT if is_chinese else _OTHER_LIMIT)
        if weight > 1.0 + 1e-9:
            return position
    return None


def _best_cut(text: str, start: int, limit: int) -> int:
    """Behind the last comma before `limit`, else behind the last space, else at `limit`."""
    earliest = start + (limit - start) // 4
    commas = [match.end() for match in _COMMA.finditer(text, start, limit)]
    if commas and commas[-1] > earliest:
        return commas[-1]
    space = text.rfind(" ", earliest, limit)
    return space + 1 if space >= 0 else limit


def _stripped(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _is_speakable(sentence: str) -> bool:
    return any(character.isalnum() for character in sentence)
