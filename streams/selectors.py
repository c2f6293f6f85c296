"""Reads of this app that join several models."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Organization
from streams.models import Broadcast, Output, Picture, Show


def list_shows(organization: Organization) -> QuerySet[Show]:
    """Shows of an organization with all that their JSON form needs."""
    rows = Show.objects.filter(organization=organization, archived_at=None)
    return rows.select_related("schedule").prefetch_related("cues", "outputs")


def list_outputs(organization: Organization) -> QuerySet[Output]:
    return Output.objects.filter(organization=organization)


def list_pictures(organization: Organization, kind: str | None = None) -> QuerySet[Picture]:
    """Uploaded pictures of an organization, of one kind if it is given."""
    rows = Picture.objects.filter(organization=organization)
    return rows.filter(kind=kind) if kind else rows


def list_broadcasts(organization: Organization) -> QuerySet[Broadcast]:
    """Broadcasts of an organization with their outputs."""
    return Broadcast.objects.filter(organization=organization).prefetch_related("outputs")


def find_live_broadcast(show: Show) -> Broadcast | None:
    """The airing of this show that is not over, if there is one."""
    return Broadcast.objects.filter(active_key=show.pk).first()
