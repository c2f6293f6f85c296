"""Cutting Chinese and English text into sentences that are spoken one at a time."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# A sentence is too long at 80 Chinese or 200 other characters, or a mixture of that weight.
_CHINESE_LIMIT: Final = 80
_OTHER_LIMIT: Final = 200
_CHINESE: Final = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")

_ALWAYS_END: Final = "。｡！？；…⋯"
_MAYBE_END: Final = ".．!?;"  # also inside decimals, abbreviations and addresses
_LINE_ENDS: Final = "\n\r\v\f\x85\u2028\u2029"
_CLOSERS: Final = "”’\"'＂＇)）】」』》]}"
_COMMA: Final = re.compile(r"[，、：——]|[,:](?!\d)")
_ADDRESS: Final = re.compile(
    # Chinese that follows without a space is no part of it.
    r"(?:https?://|www\.)[!-~]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+",
    re.ASCII,
)
_JOINER: Final = "\u200d"
# How far a decision looks around: keeps the time for a long text in proportion to its length.
_LOOK_CHARACTERS: Final = 48
_LIST_NUMBER: Final = re.compile(r"(?:^|[\s，,、：:])\d{1,2}$")
_INITIALS: Final = re.compile(r"(?:[a-z]\.)*[a-z]")
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
    in_address = _address_mask(text)
    spans: list[Span] = []
    start = position = 0
    while position < len(text):
        marks_end = _marks_end(text, position, in_address)
        if position == marks_end:
            position += 1
            continue
        is_line_end = text[position] in _LINE_ENDS
        end = marks_end if is_line_end else _closers_end(text, start, marks_end)
        if is_line_end or not _goes_on(text, start, position, marks_end, end):
            spans.append((start, end))
            start = end
        position = end
    spans.append((start, len(text)))
    return spans


def _address_mask(text: str) -> bytearray:
    """1 for each character inside an address; its last one may end the sentence."""
    mask = bytearray(len(text))
    for match in _ADDRESS.finditer(text):
        first, last = match.start(), match.end() - 1
        mask[first:last] = b"\1" * (last - first)
    return mask


def _marks_end(text: str, position: int, in_address: bytearray) -> int:
    """Behind the run of marks at `position`; `position` itself where no sentence can end."""
    if text[position] in _LINE_ENDS:
        return position + 1
    end = position
    while end < len(text) and text[end] in _ALWAYS_END + _MAYBE_END and not in_address[end]:
        end += 1
    return end


def _closers_end(text: str, start: int, end: int) -> int:
    while end < len(text) and text[end] in _CLOSERS and not _opens(text, start, end):
        end += 1
    return end


def _opens(text: str, start: int, position: int) -> bool:
    """Whether a straight quotation mark begins what is said: none waits for its partner."""
    mark = text[position]
    return mark in '"＂' and text.count(mark, start, position) % 2 == 0


def _goes_on(text: str, start: int, position: int, marks_end: int, end: int) -> bool:
    """Whether the sentence continues behind marks at `position` that closers follow to `end`."""
    rest = text[end : end + _LOOK_CHARACTERS]
    following = rest.lstrip(" \t")
    if end > marks_end and following[:1].islower():
        return True  # "Really?" she said.
    if text[position] in _ALWAYS_END:
        return False
    if rest[:1] and not rest[0].isspace() and not _CHINESE.match(rest[0]):
        return not _starts_quote(rest[0])
    if text[position] != "." or marks_end - position > 1:
        return False
    before = text[max(start, position - _LOOK_CHARACTERS) : position]
    if rest[:1] == following[:1] and _LIST_NUMBER.search(before):
        return True  # "1.好吃 2.好看"
    return _is_abbreviation(before, following)


def _starts_quote(character: str) -> bool:
    return character in "“‘「『（(["


def _is_abbreviation(before: str, following: str) -> bool:
    words = before.split()
    word = words[-1].lstrip("“‘\"'(（[").lower() if words else ""
    if len(words) == 1 and word.isdigit():
        return True  # "1. First of all": the number of a list
    if word in _TITLES or (_INITIALS.fullmatch(word) and word not in _MAY_END and word != "i"):
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
    """Behind the last comma before `limit`, else behind the last space, else between two words."""
    earliest = start + (limit - start) // 4
    # One more character is looked at: the digit that makes a comma part of a number.
    commas = [match.end() for match in _COMMA.finditer(text, start, limit + 1)]
    commas = [end for end in commas if earliest < end <= limit]
    if commas:
        return commas[-1]
    space = text.rfind(" ", earliest, limit)
    if space >= 0:
        return space + 1
    cut = limit
    while cut > earliest and _belongs(text[cut - 1], text[cut]):
        cut -= 1
    return cut if cut > earliest else limit


def _belongs(before: str, after: str) -> bool:
    """Whether a cut here would change what is read: 12|99元, iPh|one, a family of joined emoji."""
    if unicodedata.category(after)[0] == "M" or _JOINER in (before, after):
        return True
    if before.isdigit() or before in "¥￥$€£":
        return not after.isspace()
    return before.isascii() and after.isascii() and after.isalnum()


def _stripped(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _is_speakable(sentence: str) -> bool:
    return any(character.isalnum() for character in sentence)
