"""Rules for settings that are plain JSON: what each name may hold, said in words a host reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from livestudio.common.errors import ErrorDetail


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    allowed: tuple[str, ...]

    def complaint(self, value: Any) -> str | None:
        return None if value in self.allowed else f"Use {' or '.join(self.allowed)}."


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a range, ends included."""

    lowest: float
    highest: float

    def complaint(self, value: Any) -> str | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and self.lowest <= value <= self.highest:
            return None
        return f"Use a number from {self.lowest:g} to {self.highest:g}."


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is wholly of a pattern. wanted: what to give, ending the sentence "Give …"."""

    pattern: str
    wanted: str

    def complaint(self, value: Any) -> str | None:
        is_fine = isinstance(value, str) and re.fullmatch(self.pattern, value)
        return None if is_fine else f"Give {self.wanted}."


Rules = Mapping[str, Choice | Number | Text]


def check_settings(rules: Rules, settings: Any) -> Iterator[ErrorDetail]:
    """What is wrong with each name of `settings`; nothing when all may stay."""
    if not isinstance(settings, Mapping):
        yield ErrorDetail("settings", "invalid", "Settings are an object of names and values.")
        return
    for name, value in settings.items():
        rule = rules.get(name)
        if rule is None:
            known = ", ".join(rules) or "none"
            message = f"This engine has no setting {name!r}; it has: {known}."
            yield ErrorDetail(f"settings.{name}", "unknown", message)
        elif complaint := rule.complaint(value):
            yield ErrorDetail(f"settings.{name}", "invalid", complaint)
