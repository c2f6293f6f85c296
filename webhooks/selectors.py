"""Reads of the outbox for those who watch over the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from webhooks.models import DeliveryState, DisabledReason, Webhook, WebhookDelivery


@dataclass(frozen=True, slots=True)
class Queue:
    """waiting: deliveries that are not over. late_seconds: since the oldest of them was due.

    failing: webhooks whose last try failed; switched_off: those that we gave up.
    """

    waiting: int
    late_seconds: float
    active: int
    failing: int
    switched_off: int


def queue(now: datetime) -> Queue:
    """How the outbox of the whole site stands."""
    rows = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, webhook__is_active=True)
    found = rows.aggregate(waiting=Count("pk"), due=Min("next_try_at"))
    late = (now - found["due"]).total_seconds() if found["due"] else 0.0
    is_failing = Q(is_active=True, failing_since__isnull=False)
    numbers = Webhook.objects.aggregate(
        active=Count("pk", filter=Q(is_active=True)),
        failing=Count("pk", filter=is_failing),
        switched_off=Count("pk", filter=~Q(disabled_reason=DisabledReason.NONE)),
    )
    return Queue(waiting=found["waiting"], late_seconds=max(0.0, late), **numbers)
