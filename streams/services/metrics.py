"""Numbers of a broadcast: the newest on its row, one sample every 10 s kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from streams.models import Broadcast, MetricSample

SAMPLE_EVERY: Final = timedelta(seconds=10)


def keep_metrics(broadcast_id: UUID | str, values: dict[str, Any]) -> None:
    """Store the newest numbers. Called by the one runner link of the broadcast, so no race."""
    now = timezone.now()
    Broadcast.objects.filter(pk=broadcast_id).update(metrics=values)
    rows = MetricSample.objects.filter(broadcast_id=broadcast_id)
    if not rows.filter(at__gt=now - SAMPLE_EVERY).exists():
        MetricSample.objects.create(broadcast_id=broadcast_id, at=now, values=values)
