"""The first page of the admin: what is on air, what comes next, what went wrong lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actor import signed_in
from streams.admin.cards import broadcasts_of, cards_of, occurrences_of
from streams.admin.plans import SKIPPED, Stretch, stretches_of
from streams.admin.troubles import recent_troubles

AHEAD: Final = timedelta(hours=48)
NEXT_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A planned start in the zone of its show, and how far away it is."""

    stretch: Stretch
    local: datetime
    away: str


def front_panel(request: HttpRequest) -> dict[str, Any]:
    """What the panel shows to this user."""
    user, now = signed_in(request), timezone.now()
    found = stretches_of(user, now, now + AHEAD)
    planned = [row for row in found if row.starts_at >= now and row.tone != SKIPPED]
    return {
        "cards": cards_of(user),
        "upcoming": [_upcoming(row, now) for row in planned[:NEXT_SHOWN]],
        "troubles": recent_troubles(broadcasts_of(user), occurrences_of(user)),
    }


def _upcoming(stretch: Stretch, now: datetime) -> Upcoming:
    local = stretch.starts_at.astimezone(ZoneInfo(stretch.zone)).replace(tzinfo=None)
    hours, minutes = divmod(int((stretch.starts_at - now).total_seconds() // 60), 60)
    away = _("in %(hours)d h %(minutes)d min") if hours else _("in %(minutes)d min")
    return Upcoming(stretch, local, away % {"hours": hours, "minutes": minutes})
