"""Product cards: what one may hold, the same for API and admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

from livestudio.common.errors import ErrorDetail, InvalidInputError
from streams.models import Cue
from streams.services.pictures import check_cue_picture

CARD_TITLE_MAX_CHARACTERS: Final = 100
CARD_TEXT_MAX_CHARACTERS: Final = 500
CARD_PRICE_MAX_CHARACTERS: Final = 24
# A longer one needs so many modules that no phone reads them from a video.
CARD_URL_MAX_BYTES: Final = 200
_LIMITS: Final = {
    "title": CARD_TITLE_MAX_CHARACTERS,
    "text": CARD_TEXT_MAX_CHARACTERS,
    "price": CARD_PRICE_MAX_CHARACTERS,
}
_is_url = URLValidator(schemes=["http", "https"])


def check_card(cue: Cue, *, prefix: str = "") -> None:
    """Raises InvalidInputError naming every field of the card that is wrong."""
    if cue.card is None:
        if cue.card_picture is not None:
            message = _("A card with a picture needs a name too.")
            raise InvalidInputError.of(f"{prefix}card.title", message, "required")
        return
    details = tuple(_wrong_fields(cue.card, f"{prefix}card"))
    if details:
        raise InvalidInputError(details=details)
    check_cue_picture(cue, prefix=prefix)


def _wrong_fields(card: dict[str, str], path: str) -> Iterator[ErrorDetail]:
    if not card.get("title", "").strip():
        yield ErrorDetail(f"{path}.title", "required", _("Name what the card shows."))
    for name, limit in _LIMITS.items():
        if len(card.get(name, "")) > limit:
            message = _("At most %(limit)s characters.") % {"limit": limit}
            yield ErrorDetail(f"{path}.{name}", "max_length", message)
    yield from _wrong_url(card.get("url", ""), path)


def _wrong_url(url: str, path: str) -> Iterator[ErrorDetail]:
    if not url:
        return
    if len(url.encode()) > CARD_URL_MAX_BYTES:
        limit = {"limit": CARD_URL_MAX_BYTES}
        message = _("Longer than %(limit)s bytes: its QR code could not be read from a video.")
        yield ErrorDetail(f"{path}.url", "max_length", message % limit)
        return
    try:
        _is_url(url)
    except ValidationError:
        message = _("Give an address that begins with http:// or https://.")
        yield ErrorDetail(f"{path}.url", "invalid", message)
