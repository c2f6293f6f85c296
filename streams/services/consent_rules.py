"""Which people are seen and heard in a show, and whether their consents allow it now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils import timezone

from accounts.consents import Refusal, Use, why_not
from avatars.models import Avatar
from inference.catalog import EngineKind, needs_consent
from livestudio.common.errors import ErrorDetail
from streams.models import Show
from voices.models import Voice
from voices.selectors import failover_chain


def consent_obstacles(show: Show) -> Iterator[ErrorDetail]:
    """What keeps the presenter or one of the voices of a show from being used."""
    use = Use(show.pk, show.is_commercial, timezone.now())
    for field, refusal in refusals(use, [show.avatar], [show.voice]):
        yield ErrorDetail(field, f"consent_{refusal.problem}", refusal.message)


def refusals(
    use: Use, avatars: Iterable[Avatar], voices: Iterable[Voice]
) -> Iterator[tuple[str, Refusal]]:
    """(field of the show, what refuses it) of each, and of the voices that may stand in."""
    for avatar in avatars:
        if found := _refusal("face", avatar, use):
            yield "avatar", found
    for voice in voices:
        for spoken in failover_chain(voice):
            if found := _refusal("speech", spoken, use):
                yield "voice", found


def _refusal(kind: EngineKind, item: Avatar | Voice, use: Use) -> Refusal | None:
    # An engine that is gone is told among the obstacles of the engine.
    is_needed = needs_consent(kind, item.engine)
    return why_not(item.consent, use, name=item.name, is_needed=is_needed)
