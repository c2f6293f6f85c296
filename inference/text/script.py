"""Cue text with inline directives -> sentences: `Hello [wave] world. [pause 0.8] [happy] Next.`

The web side checks cue texts with the function the runner plays them by. Standard library only.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from inference.catalog import EXPRESSIONS, GESTURES, LANGUAGES
from inference.text.sentences import split_sentences

PAUSE_LIMITS_SECONDS: Final = (0.1, 30.0)
# Chinese keyboards write 【; what stands in it is text unless it is the name of a directive.
_WIDE: Final = rf"[【［]\s*((?i:{'|'.join(EXPRESSIONS + GESTURES)}|pause\s[^】］\n]*?))\s*[】］]"
_BRACKET: Final = re.compile(rf"\\([\[\]\\])|\[([^\[\]\n]*)\]|{_WIDE}|[\[\]]")
_PAUSE: Final = re.compile(r"pause(?:\s+(\S+))?")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+")


class ScriptError(ValueError):
    """A cue text cannot be played. position: of the mistake, in characters of the cue text."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class ScriptSentence:
    """One sentence to be spoken, then a silence of `pause_after_seconds` that the text asks for.

    directives: (character offset in `text`, expression or gesture name), in order.
    text is empty where a cue begins with a pause or holds nothing but directives: there is nothing
    to speak then, the directives are due at once and the pause follows.
    """

    text: str
    directives: tuple[tuple[int, str], ...] = ()
    pause_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Section:
    """Text between two pauses."""

    text: str
    directives: tuple[tuple[int, str], ...]
    pause_after_seconds: float


def parse_script(text: str, language: str) -> tuple[ScriptSentence, ...]:
    """The sentences of a cue text. `\\[` and `\\]` are literal brackets.

    Raises ScriptError for an unknown directive, a bad pause, a lone bracket, an unknown language.
    """
    if language not in LANGUAGES:
        raise ScriptError(f"Language is one of {', '.join(LANGUAGES)}, not {language!r}.", 0)
    sentences: list[ScriptSentence] = []
    for section in _sections(text):
        sentences += _sentences_of(section)
    return tuple(sentences)


def _sections(text: str) -> list[_Section]:
    sections: list[_Section] = []
    plain = ""
    directives: list[tuple[int, str]] = []
    position = 0
    for match in _BRACKET.finditer(text):
        plain += text[position : match.start()]
        position = match.end()
        if match[1]:
            plain += match[1]
            continue
        name = _directive(match)
        seconds = _pause_seconds(name, match.start())
        if seconds is None:
            directives.append((len(plain), name))
            continue
        sections.append(_Section(plain, tuple(directives), seconds))
        plain, directives = "", []
    sections.append(_Section(plain + text[position:], tuple(directives), 0.0))
    return sections


def _directive(match: re.Match[str]) -> str:
    written = match[3] if match[2] is None else match[2]
    if written is None:
        raise ScriptError(
            f"This {match[0]} has no partner. Write \\{match[0]} for a bracket that is text.",
            match.start(),
        )
    name = " ".join(written.lower().split())
    if name in EXPRESSIONS or name in GESTURES or _PAUSE.fullmatch(name):
        return name
    raise ScriptError(
        f"[{written}] is not a directive. There are: {', '.join(EXPRESSIONS + GESTURES)}, "
        "and pause with seconds, as in [pause 0.8].",
        match.start(),
    )


def _pause_seconds(name: str, position: int) -> float | None:
    match = _PAUSE.fullmatch(name)
    if match is None:
        return None
    low, high = PAUSE_LIMITS_SECONDS
    number = match[1] or ""
    if not _NUMBER.fullmatch(number) or not low <= float(number) <= high:
        raise ScriptError(
            f"A pause is {low} to {high:g} seconds, written as in [pause 0.8].", position
        )
    return float(number)


def _sentences_of(section: _Section) -> list[ScriptSentence]:
    spans = split_sentences(section.text)
    if not spans:
        if not section.directives and section.pause_after_seconds == 0.0:
            return []
        names = tuple((0, name) for _, name in section.directives)
        return [ScriptSentence("", names, section.pause_after_seconds)]
    sentences = []
    waiting = deque(section.directives)
    for index, (start, end) in enumerate(spans):
        is_last = index == len(spans) - 1
        # A directive belongs to the sentence it stands in or before; behind all, to the last.
        directives = []
        while waiting and (is_last or waiting[0][0] < end):
            offset, name = waiting.popleft()
            directives.append((min(max(offset, start), end) - start, name))
        pause = section.pause_after_seconds if is_last else 0.0
        sentences.append(ScriptSentence(section.text[start:end], tuple(directives), pause))
    return sentences
