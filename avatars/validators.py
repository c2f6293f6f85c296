"""What an avatar may be: engines that exist, settings that they understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings as site

from inference.catalog import PRESENTERS, get_engine
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.rules import Choice, Rules, check_settings

# Engine -> what its settings may hold; every one of them has a default in the engine.
SETTINGS: Final[dict[str, Rules]] = {
    "puppet": {
        "character": Choice(tuple(item.character for item in PRESENTERS)),
        "outfit": Choice(tuple(outfit.name for item in PRESENTERS for outfit in item.outfits)),
    },
    "testcard": {},
}


def check_avatar(*, engine: str, settings: Any) -> None:
    """Raises InvalidInputError naming every field that is wrong."""
    details = [*_check_engine(engine)]
    if not details:
        details = list(check_settings(SETTINGS.get(engine, {}), settings))
    if not details and engine == "puppet":
        details = [*_check_outfit(settings)]
    if details:
        raise InvalidInputError(details=tuple(details))


def _check_outfit(values: dict[str, Any]) -> Iterator[ErrorDetail]:
    """Each presenter has clothes of their own."""
    character = values.get("character", PRESENTERS[0].character)
    presenter = next(item for item in PRESENTERS if item.character == character)
    names = [outfit.name for outfit in presenter.outfits]
    if values.get("outfit", names[0]) not in names:
        message = f"{presenter.label} wears {' or '.join(names)}."
        yield ErrorDetail("settings.outfit", "invalid", message)


def _check_engine(engine: str) -> Iterator[ErrorDetail]:
    try:
        entry = get_engine("face", engine)
    except LookupError:
        yield ErrorDetail("engine", "unknown", f"There is no avatar engine named {engine!r}.")
        return
    if entry.test_only and not site.TEST_ENGINES:
        yield ErrorDetail("engine", "test_only", "This engine is for measurements only.")
