"""What /metrics says beyond the process itself: the broadcasts on air and their latest numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import Count
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.models import Broadcast, BroadcastState
from streams.models.broadcast import FINAL_STATES

_ON_AIR: Final = tuple(state for state in BroadcastState if state not in FINAL_STATES)


class BroadcastCollector(Collector):
    """Read at each scrape. A broadcast has a series only while it is not over."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _counts()
        yield _numbers()


def exposition() -> bytes:
    """Everything in Prometheus' text format."""
    # Described only when scraped: registering must not ask the database.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BroadcastCollector())
    return bytes(generate_latest(REGISTRY) + generate_latest(registry))


def flatten(numbers: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """Every number with its dotted name; texts, flags and lists are left out."""
    for name, value in numbers.items():
        full = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from flatten(value, full)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield full, float(value)


def _counts() -> GaugeMetricFamily:
    family = GaugeMetricFamily("livestudio_broadcasts", "Broadcasts by state.", labels=["state"])
    rows = Broadcast.objects.filter(state__in=_ON_AIR).values("state")
    found = {row["state"]: row["count"] for row in rows.annotate(count=Count("pk")).order_by()}
    for state in _ON_AIR:
        family.add_metric([state.value], found.get(state.value, 0))
    return family


def _numbers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livestudio_broadcast_number",
        "Latest number of a broadcast, as its runner reports it.",
        labels=["broadcast", "name"],
    )
    for broadcast in Broadcast.objects.filter(state__in=_ON_AIR).only("metrics"):
        for name, value in flatten(broadcast.metrics):
            family.add_metric([str(broadcast.pk), name], value)
    return family
