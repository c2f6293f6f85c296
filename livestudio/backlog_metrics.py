"""Of /metrics: what waits in the background, and which quotas are used up. Names nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily

from accounts.models import Organization, OrganizationExport
from inference.services import last_chores
from metering.selectors import count_passed
from webhooks.selectors import queue

_OPEN: Final = (OrganizationExport.State.WAITING, OrganizationExport.State.BUILDING)


def backlog_families(now: datetime) -> Iterator[GaugeMetricFamily]:
    """Read at each scrape."""
    yield _quotas(now)
    yield from _webhooks(now)
    yield from _chores(now)


def _quotas(now: datetime) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livestudio_quota_organizations",
        "Organizations that have used most (warning) or all (reached) of a quota now.",
        labels=["meter", "level"],
    )
    for labels, number in count_passed(now).items():
        family.add_metric(list(labels), number)
    return family


def _webhooks(now: datetime) -> Iterator[GaugeMetricFamily]:
    found = queue(now)
    yield _one("livestudio_webhook_deliveries_waiting", "Deliveries not over.", found.waiting)
    told = "Since the oldest delivery that waits was due; 0 when none is."
    yield _one("livestudio_webhook_late_seconds", told, found.late_seconds)
    family = GaugeMetricFamily(
        "livestudio_webhooks",
        "Webhooks that are on, of those failing; and those that were switched off for it.",
        labels=["state"],
    )
    for state in ("active", "failing", "switched_off"):
        family.add_metric([state], getattr(found, state))
    yield family


def _chores(now: datetime) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily("livestudio_exports", "Exports not over.", labels=["state"])
    rows = OrganizationExport.objects.filter(state__in=_OPEN).order_by()
    counted = dict(rows.values_list("state").annotate(number=Count("pk")))
    for state in _OPEN:
        family.add_metric([state.value], counted.get(state.value, 0))
    yield family
    overdue = Organization.objects.filter(delete_after__lt=now).count()
    told = "Organizations past the day of their deletion."
    yield _one("livestudio_organizations_overdue", told, overdue)
    silence = GaugeMetricFamily(
        "livestudio_chores_silence_seconds", "Since the last sweep of old rows ended well."
    )
    if swept_at := last_chores():
        silence.add_metric([], (now - swept_at).total_seconds())
    yield silence


def _one(name: str, told: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told)
    family.add_metric([], value)
    return family
