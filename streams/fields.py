"""Fields of JSON bodies that are stricter than the framework's: no `true` for 1, no NaN."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers


class NumberField(serializers.FloatField):
    """A finite JSON number."""

    default_error_messages = {"invalid": "A number is required."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class WholeNumberField(serializers.IntegerField):
    """A JSON integer."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class FlagField(serializers.BooleanField):
    """JSON true or false, and none of the words that the framework takes for them."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return bool(data)


class TextField(serializers.CharField):
    """A JSON string; numbers are not turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class ChoiceField(serializers.ChoiceField):
    """One of the allowed words; the refusal names them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data in self.choices:
            return data
        allowed = ", ".join(str(choice) for choice in self.choices)
        message = f"{str(data)[:80]!r} is not allowed. Choose from: {allowed}."
        raise serializers.ValidationError(message, code="invalid_choice")
