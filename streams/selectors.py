"""Reads of this app that join several models."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import Organization
from livestudio.common.signed_links import current_period
from streams.models import Broadcast, Output, Picture, Schedule, Show


def list_shows(organization: Organization) -> QuerySet[Show]:
    """Shows of an organization with all that their JSON form needs."""
    rows = Show.objects.filter(organization=organization, archived_at=None)
    return rows.select_related("schedule").prefetch_related("cues", "outputs")


def show_version(show: Show) -> tuple[Any, ...]:
    """What the JSON form of a show changes with, without its cues. show: with its schedule."""
    cues = show.cues.aggregate(Count("pk"), Max("updated_at"))
    outputs = show.outputs.through.objects.filter(show=show).values_list("output", flat=True)
    schedule: Schedule | None = getattr(show, "schedule", None)
    planned = schedule.updated_at if schedule else None
    # The addresses of pictures in it change with the hour.
    return (show.pk, show.updated_at, planned, *cues.values(), *outputs, current_period())


def list_outputs(organization: Organization) -> QuerySet[Output]:
    return Output.objects.filter(organization=organization)


def list_pictures(organization: Organization) -> QuerySet[Picture]:
    return Picture.objects.filter(organization=organization)


def list_broadcasts(organization: Organization) -> QuerySet[Broadcast]:
    """Broadcasts of an organization with their outputs, and `started_or_created_at`."""
    rows: QuerySet[Broadcast] = Broadcast.objects.filter(organization=organization)
    rows = rows.annotate(started_or_created_at=Coalesce("started_at", "created_at"))
    return rows.prefetch_related("outputs")


def find_live_broadcast(show: Show) -> Broadcast | None:
    """The airing of this show that is not over, if there is one."""
    return Broadcast.objects.filter(active_key=show.pk).first()
