"""Break text into lines the way Chinese and Latin text want it."""

from __future__ import annotations

import itertools
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from PIL import ImageFont

from inference.media.fonts import drawable

# Signs that may not begin a line, and such that may not end one.
_NOT_FIRST: Final = frozenset("，。！？；：、）】》」』”’…—％,.!?;:)]}%")
_NOT_LAST: Final = frozenset("（【《「『“‘([{")


def wrap(text: str, font: ImageFont.FreeTypeFont, limit_px: int) -> list[str]:
    """Lines no wider than the limit: broken between Chinese characters or Latin words.

    Their join is what can be drawn of the text; a space at the end of a line is not counted.
    """
    text = " ".join(drawable(text).split())
    ends = list(itertools.accumulate(map(len, _words(text))))
    lines: list[str] = []
    start = 0
    while start < len(text):
        end = _line_end(text, start, ends, font, limit_px)
        lines.append(text[start:end])
        start = end
    return lines


def wrap_to(text: str, font: ImageFont.FreeTypeFont, limit_px: int, lines: int) -> list[str]:
    """At most so many lines, without blanks at their ends; text that is cut off ends in "…"."""
    found = wrap(text, font, limit_px)
    if len(found) > lines:
        found = [*found[: lines - 1], _shorten(found[lines - 1] + "…", font, limit_px)]
    elif len(found) > 1:
        found = balance(found, font)
    return [line.rstrip() for line in found]


def balance(lines: list[str], font: ImageFont.FreeTypeFont) -> list[str]:
    """The same text in as many lines of about one length: no lone last word."""
    if len(lines) < 2:
        return lines
    text = "".join(lines)
    longest = max(font.getlength(line.rstrip()) for line in lines)
    for share in (0.55, 0.65, 0.75, 0.85, 0.95):
        shorter = wrap(text, font, round(longest * share))
        if len(shorter) == len(lines):
            return shorter
    return lines


def cut(line: str) -> str:
    """A line whose last sign has become "…"."""
    return line.rstrip()[:-1] + "…"


def is_wide(sign: str) -> bool:
    """Whether a sign takes a whole square, as Chinese ones do."""
    return unicodedata.east_asian_width(sign) in "WF"


def _shorten(line: str, font: ImageFont.FreeTypeFont, limit_px: int) -> str:
    while len(line) > 1 and font.getlength(line) > limit_px:
        line = line[:-2].rstrip() + "…"
    return line


def _words(text: str) -> list[str]:
    """Pieces that a line break may stand between; their join is the text."""
    words: list[str] = []
    for sign in text:
        if words and not _may_break(words[-1][-1], sign):
            words[-1] += sign
        else:
            words.append(sign)
    return words


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST or before in _NOT_LAST or after == " ":
        return False
    return before == " " or is_wide(before) or is_wide(after)


def _line_end(
    text: str, start: int, ends: Sequence[int], font: ImageFont.FreeTypeFont, limit_px: float
) -> int:
    """Where the line that begins at `start` ends: behind a word, or within one wider than a line.

    ends: of the words. A line is wider the longer it is, so that few have to be measured.
    """

    def width(end: int) -> float:
        return font.getlength(text[start:end].rstrip())

    first = bisect_right(ends, start)
    if width(len(text)) <= limit_px:
        return len(text)
    fitting = bisect_right(ends, limit_px, lo=first, key=width)
    if fitting > first:
        return ends[fitting - 1]
    signs = range(start + 1, ends[first])
    return max(start + 1, start + bisect_right(signs, limit_px, key=width))
