"""What a voice may be: engines that exist, settings that they understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings as site

from inference.catalog import LANGUAGES, get_engine
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.rules import Choice, Number, Rules, check_settings

# Engine -> what its settings may hold; every one of them has a default in the engine.
SETTINGS: Final[dict[str, Rules]] = {
    "espeak": {
        "gender": Choice(("female", "male")),
        "rate": Number(0.5, 2.0),
        "pitch": Number(-50, 50),
    },
    "testtone": {
        "seconds": Number(0.1, 600),
        "mode": Choice(("tag", "beep")),
    },
}


def check_voice(*, engine: str, language: str, settings: Any) -> None:
    """Raises InvalidInputError naming every field that is wrong."""
    details = [*_check_engine(engine), *_check_language(language)]
    if not details:
        details = list(check_settings(SETTINGS.get(engine, {}), settings))
    if details:
        raise InvalidInputError(details=tuple(details))


def _check_engine(engine: str) -> Iterator[ErrorDetail]:
    try:
        entry = get_engine("speech", engine)
    except LookupError:
        yield ErrorDetail("engine", "unknown", f"There is no voice engine named {engine!r}.")
        return
    if entry.test_only and not site.TEST_ENGINES:
        yield ErrorDetail("engine", "test_only", "This engine is for measurements only.")


def _check_language(language: str) -> Iterator[ErrorDetail]:
    if language not in LANGUAGES:
        yield ErrorDetail("language", "unknown", f"Use {' or '.join(LANGUAGES)}.")
