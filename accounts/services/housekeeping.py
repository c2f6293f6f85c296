"""What is of no use any more: ended sign-ins, closed invitations, answers kept for a day.

Each sweep deletes a bounded number of rows and may be repeated or cut off anywhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.idempotency import KEPT_FOR
from accounts.models import DeviceSession, IdempotencyRecord, Invitation
from accounts.services.deletion import delete_due_organizations
from accounts.services.exports import delete_old_exports
from livestudio.common.log import get_logger

log = get_logger(__name__)

ROWS_PER_SWEEP: Final = 1000
# An owner who wonders which device that was can still look it up.
ENDED_SESSIONS_KEPT: Final = timedelta(days=30)
CLOSED_INVITATIONS_KEPT: Final = timedelta(days=90)


def sweep(now: datetime) -> dict[str, int]:
    """Delete what is past its time; how many of each."""
    counts = {
        "sessions": _delete(_ended_sessions(now)),
        "invitations": _delete(_closed_invitations(now)),
        "answers": _delete(IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR)),
        "exports": delete_old_exports(now),
        "organizations": delete_due_organizations(now),
    }
    if any(counts.values()):
        log.info("rows past their time deleted", **counts)
    return counts


def _ended_sessions(now: datetime) -> models.QuerySet[DeviceSession]:
    """Signed out, or not refreshed while the token could be."""
    cutoff = now - ENDED_SESSIONS_KEPT
    unused = cutoff - settings.REFRESH_TOKEN_LIFETIME
    return DeviceSession.objects.filter(Q(revoked_at__lt=cutoff) | Q(last_used_at__lt=unused))


def _closed_invitations(now: datetime) -> models.QuerySet[Any]:
    cutoff = now - CLOSED_INVITATIONS_KEPT
    rows: models.QuerySet[Any] = Invitation.objects.filter(expires_at__lt=cutoff)
    return rows


def _delete(rows: models.QuerySet[Any]) -> int:
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS_PER_SWEEP])
    rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)
