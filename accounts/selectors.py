"""Reads of this app that filter and join."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import AuditEntry, Organization


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What of the audit trail is wanted; empty = whatever. action: a verb, or the beginning of it.

    actor: a username, `system` for the system itself.
    """

    actor: str = ""
    action: str = ""
    object_type: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None


SYSTEM_NAME = "system"


def list_audit(organization: Organization, query: AuditQuery) -> QuerySet[AuditEntry]:
    """The entries of an organization that fit, newest first."""
    rows = AuditEntry.objects.filter(organization=organization).select_related("actor")
    if query.actor == SYSTEM_NAME:
        rows = rows.filter(actor=None)
    elif query.actor:
        rows = rows.filter(actor__username=query.actor.lower())
    wanted = {
        "action__startswith": query.action,
        "object_type": query.object_type,
        "object_id": query.object,
        "created_at__gte": query.since,
        "created_at__lt": query.until,
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value})
