"""Rewriting text by rules while remembering where each character came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# A rule: what it matches, and what is spoken instead (None = leave the match to later rules).
Replacement = Callable[["re.Match[str]"], str | None]
Rule = tuple["re.Pattern[str]", Replacement]


@dataclass(frozen=True, slots=True)
class NormalisedText:
    """text: as spoken. sources[i]: offset in the original of the character behind `text[i]`."""

    text: str
    sources: tuple[int, ...]

    @property
    def is_speakable(self) -> bool:
        return any(character.isalnum() for character in self.text)

    def source_position(self, position: int) -> int:
        """The original offset of a spoken position; beyond the end: the last one."""
        if not self.sources:
            return 0
        return self.sources[min(max(position, 0), len(self.sources) - 1)]


def unchanged(text: str) -> NormalisedText:
    """The text as it stands, each character its own source."""
    return NormalisedText(text, tuple(range(len(text))))


def rewrite(given: NormalisedText, rules: tuple[Rule, ...]) -> NormalisedText:
    """Apply at each place the first rule that fits, left to right, once."""
    text = given.text
    out: list[str] = []
    sources: list[int] = []
    position = 0
    while position < len(text):
        spoken, length = _first_fit(text, position, rules)
        out.append(spoken)
        if length == 1 and len(spoken) == 1:
            sources.append(given.sources[position])
        else:
            sources.extend([given.sources[position]] * len(spoken))
        position += length
    return NormalisedText("".join(out), tuple(sources))


def _first_fit(text: str, position: int, rules: tuple[Rule, ...]) -> tuple[str, int]:
    for pattern, replacement in rules:
        match = pattern.match(text, position)
        if match is None or match.end() == position:
            continue
        spoken = replacement(match)
        if spoken is not None:
            return spoken, match.end() - position
    return text[position], 1
