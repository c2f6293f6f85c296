"""Which people are seen and heard in a show, and whether their consents allow it now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.consents import Refusal, why_not
from avatars.models import Avatar
from inference.catalog import EngineKind, get_engine
from livestudio.common.errors import ErrorDetail
from streams.models import Show
from voices.models import Voice
from voices.selectors import failover_chain


def consent_obstacles(show: Show) -> Iterator[ErrorDetail]:
    """What keeps the presenter or one of the voices of a show from being used."""
    for field, refusal in refusals(show.pk, [show.avatar], [show.voice], timezone.now()):
        yield ErrorDetail(field, f"consent_{refusal.problem}", refusal.message)


def refusals(
    show: UUID, avatars: Iterable[Avatar], voices: Iterable[Voice], now: datetime
) -> Iterator[tuple[str, Refusal]]:
    """(field of the show, what refuses it) of each, and of the voices that may stand in."""
    for avatar in avatars:
        if found := _refusal("face", avatar, show, now):
            yield "avatar", found
    for voice in voices:
        for spoken in failover_chain(voice):
            if found := _refusal("speech", spoken, show, now):
                yield "voice", found


def _refusal(kind: EngineKind, item: Avatar | Voice, show: UUID, now: datetime) -> Refusal | None:
    is_needed = _is_needed(kind, item.engine)
    return why_not(item.consent, name=item.name, is_needed=is_needed, show=show, now=now)


def _is_needed(kind: EngineKind, engine: str) -> bool:
    try:
        return get_engine(kind, engine).needs_consent
    except LookupError:
        return False  # told among the obstacles of the engine
