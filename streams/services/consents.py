"""Broadcasts whose consents end while they are on air end too, within seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from accounts.audit import record
from accounts.consents import Refusal, Use
from accounts.models import Consent
from accounts.roles import SYSTEM
from avatars.models import Avatar
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger
from streams.models import Broadcast
from streams.models.broadcast import FINAL_STATES
from streams.services.commands import limited_stop
from streams.services.consent_rules import refusals
from streams.services.lifecycle import stop_broadcast
from voices.models import Voice

log = get_logger(__name__)

# Told again after this long, killed some seconds later: the picture is gone within ten.
STOP_SECONDS: Final = 3.0


def end_without_consent(now: datetime) -> int:
    """Stop broadcasts whose consents were revoked or have expired; how many. For control loops."""
    return _end_all(Broadcast.objects.all(), now)


def end_broadcasts_of(consent: Consent) -> None:
    """A consent was revoked: stop what uses it at once, without waiting for a control loop."""
    _end_all(Broadcast.objects.filter(organization=consent.organization_id), timezone.now())


def _end_all(rows: QuerySet[Broadcast], now: datetime) -> int:
    """Those that are stopping already too: a sentence may be long."""
    running = rows.exclude(state__in=FINAL_STATES).select_related("organization")
    refused = ((row, refusal) for row in running if (refusal := _refusal_of(row, now)))
    return sum(_end(row, refusal) for row, refusal in refused if not limited_stop(row))


def _refusal_of(broadcast: Broadcast, now: datetime) -> Refusal | None:
    """What refuses this airing now; the plan it began with names presenter and voice."""
    plan = broadcast.snapshot
    avatars = Avatar.objects.filter(pk=plan["avatar"]).select_related("consent")
    voices = Voice.objects.filter(pk=plan["voice"]).select_related("consent")
    # One that began before there was such a mark goes on.
    use = Use(broadcast.show_id, plan.get("is_commercial", False), now)
    found = refusals(use, avatars, voices)
    return next((refusal for _field, refusal in found), None)


def _end(broadcast: Broadcast, refusal: Refusal) -> bool:
    try:
        stop_broadcast(
            broadcast=broadcast, actor=SYSTEM, when="now", reason=refusal.message,
            limit_seconds=STOP_SECONDS,
        )  # fmt: skip
    except DomainError:  # it has ended meanwhile
        return False
    data = {"problem": refusal.problem}
    record(SYSTEM, "streams.broadcast.consent_ended", broadcast, data=data)
    log.warning("consent ended", broadcast_id=str(broadcast.pk), problem=refusal.problem)
    return True
