"""What an avatar may be: engines that exist, settings that they understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings as site
from django.utils.translation import gettext as _

from inference.catalog import ENGINES, PRESENTERS, get_engine
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.rules import Choice, Rules, check_settings

# Engine -> what its settings may hold; every one of them has a default in the engine.
_MUSETALK: Final[Rules] = {
    "version": Choice(("v1.5", "v1")),
    "decoder": Choice(("kl", "tiny")),
    "device": Choice(("auto", "cpu", "cuda")),
    "precision": Choice(("auto", "fp32", "fp16", "bf16")),
}
SETTINGS: Final[dict[str, Rules]] = {
    "puppet": {
        "character": Choice(tuple(item.character for item in PRESENTERS)),
        "outfit": Choice(tuple(outfit.name for item in PRESENTERS for outfit in item.outfits)),
    },
    "musetalk": _MUSETALK,
    "musetalk_tiny": _MUSETALK,
    "wav2lip256": {"device": _MUSETALK["device"]},
    "wav2lip256_tiny": {"device": _MUSETALK["device"]},
    "portrait": {},
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


def check_needs_no_upload(engine: str) -> None:
    """Raises InvalidInputError for an engine whose presenters are built of a film."""
    filmed = {entry.name for entry in ENGINES if entry.kind == "face" and entry.builder}
    if engine in filmed:
        message = _("Upload a video or photo of the presenter.")
        raise InvalidInputError.of("file", message, "required")


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
