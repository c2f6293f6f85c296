"""What an avatar may be: engines that exist, settings that they understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings as site

from inference.catalog import get_engine
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.rules import Choice, Rules, check_settings

# Engine -> what its settings may hold; every one of them has a default in the engine.
SETTINGS: Final[dict[str, Rules]] = {
    "puppet": {"character": Choice(("lin",))},
    "testcard": {},
}


def check_avatar(*, engine: str, settings: Any) -> None:
    """Raises InvalidInputError naming every field that is wrong."""
    details = [*_check_engine(engine)]
    if not details:
        details = list(check_settings(SETTINGS.get(engine, {}), settings))
    if details:
        raise InvalidInputError(details=tuple(details))


def _check_engine(engine: str) -> Iterator[ErrorDetail]:
    try:
        entry = get_engine("face", engine)
    except LookupError:
        yield ErrorDetail("engine", "unknown", f"There is no avatar engine named {engine!r}.")
        return
    if entry.test_only and not site.TEST_ENGINES:
        yield ErrorDetail("engine", "test_only", "This engine is for measurements only.")
