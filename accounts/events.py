"""Telling the outside what happened in an organization.

    emit(show.organization, "show.created", {"show": str(show.pk), "title": show.title})

Call it in the transaction that makes it happen: what is told then leaves if, and only if, that
transaction commits. Types and their fields: `accounts.event_types`.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.event_types import EVENT_TYPES, Json
from accounts.hooks import EVENT_HAPPENED, Happening
from accounts.models import Organization


def emit(
    organization: Organization | UUID, kind: str, data: Json, *, at: datetime | None = None
) -> None:
    """Tell it to those who asked for it. at: when it happened, now unless given.

    data: every field of the type, as plain JSON. Raises LookupError for an unknown type, or for
    fields that are not its own: a typo must not reach a customer.
    """
    if kind not in EVENT_TYPES:
        raise LookupError(f"no event type {kind!r}")
    wanted = set(EVENT_TYPES[kind].fields)
    if set(data) != wanted:
        raise LookupError(f"{kind} has the fields {sorted(wanted)}, not {sorted(data)}")
    owner = organization.pk if isinstance(organization, Organization) else organization
    happening = Happening(owner, kind, {"organization": str(owner), **data}, at or timezone.now())
    for tell in EVENT_HAPPENED:
        tell(happening)
