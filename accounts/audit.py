"""The audit trail: every verb that changes something leaves one entry."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.models import AuditEntry, Organization, User
from accounts.roles import SystemActor
from livestudio.common.log import redact


def record(
    actor: User | SystemActor | None,
    action: str,
    target: models.Model,
    *,
    organization: Organization | None = None,
    data: dict[str, Any] | None = None,
) -> AuditEntry:
    """Note who did what to which object, in the caller's transaction.

    action: dotted and past, `streams.broadcast.started`. data: plain JSON; secrets are redacted.
    organization: of the target unless given.
    """
    owner = organization or getattr(target, "organization", None)
    return AuditEntry.objects.create(
        organization=target if owner is None and isinstance(target, Organization) else owner,
        actor=actor if isinstance(actor, User) else None,
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        data=redact(data or {}),
    )
