"""Reading voice settings, with refusals a host understands."""

from __future__ import annotations

from inference.engines.base import EngineError, Json, SpeechRequest
from inference.text.normalise import normalise


def number(settings: Json, name: str, default: float, limits: tuple[float, float]) -> float:
    """A number within limits, ends included. Raises EngineError."""
    value = settings.get(name, default)
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise refusal(f"The voice setting {name} is a number from {low:g} to {high:g}.")
    return float(value)


def word(settings: Json, name: str, default: str) -> str:
    """A text. Raises EngineError."""
    value = settings.get(name, default)
    if not isinstance(value, str):
        raise refusal(f"The voice setting {name} is a text.")
    return value or default


def choice(settings: Json, name: str, allowed: tuple[str, ...]) -> str:
    """One of a few words, the first by default. Raises EngineError."""
    value = settings.get(name, allowed[0])
    if value not in allowed:
        raise refusal(f"The voice setting {name} is {' or '.join(allowed)}.")
    return str(value)


def check_speakable(request: SpeechRequest) -> None:
    """Raises EngineError for a text without words, or an emotion that is not 1 to 5."""
    if request.emotion not in range(1, 6):
        raise refusal(f"Emotion is 1 to 5, not {request.emotion!r}.")
    if not normalise(request.text, request.language).is_speakable:
        message = "There is nothing to say in this text."
        raise EngineError("nothing_to_say", message, retryable=False)


def refusal(message: str) -> EngineError:
    """A setting that will fail again."""
    return EngineError("bad_voice_setting", message, retryable=False)
