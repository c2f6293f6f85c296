"""What /metrics says beyond the process itself: broadcasts, outputs, requests, control loops.

What waits (webhooks, exports, chores) and which quotas are used up: `backlog_metrics`.

No label names a person, an organization or a secret: a broadcast is its id, a request its route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from avatars.bundles import present_servers
from inference.model_servers import read_state
from inference.services import last_seen_control_loop
from livestudio.backlog_metrics import backlog_families
from streams.models import Broadcast, BroadcastOutput, BroadcastState
from streams.models.broadcast import FINAL_STATES, BroadcastOutputState

REQUEST_SECONDS: Final = Histogram(
    "livestudio_request_seconds",
    "From the first middleware to the answer, by route.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_ON_AIR: Final = tuple(state for state in BroadcastState if state not in FINAL_STATES)


class BroadcastCollector(Collector):
    """Read at each scrape. A broadcast has a series only while it is not over."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _counts()
        yield _outputs()
        yield _numbers()
        yield _control_loop()
        yield from _model_servers()
        yield from backlog_families(timezone.now())


def exposition() -> bytes:
    """Everything in Prometheus' text format."""
    # Described only when scraped: registering must not ask the database.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BroadcastCollector())
    return bytes(generate_latest(REGISTRY) + generate_latest(registry))


def note_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count an answered request. Of an address only its route is kept, never what it holds."""
    match = request.resolver_match
    route = str(match.route) if match is not None else "none"
    # Whatever a client invents as a method must not make a series.
    method = request.method if request.method in _METHODS else "other"
    REQUEST_SECONDS.labels(method, route, f"{status // 100}xx").observe(seconds)


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
    return _by_state(family, Broadcast.objects.filter(state__in=_ON_AIR), _ON_AIR)


def _outputs() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livestudio_outputs", "Outputs of broadcasts on air, by state.", labels=["state"]
    )
    rows = BroadcastOutput.objects.filter(broadcast__state__in=_ON_AIR)
    return _by_state(family, rows, BroadcastOutputState)


def _by_state(family: GaugeMetricFamily, rows: QuerySet[Any], states: Any) -> GaugeMetricFamily:
    """The family with how many of the rows are in each state, 0 where there is none."""
    counted = rows.values("state").annotate(count=Count("pk")).order_by()
    found = {row["state"]: row["count"] for row in counted}
    for state in states:
        family.add_metric([state.value], found.get(state.value, 0))
    return family


def _control_loop() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livestudio_control_loop_silence_seconds", "Since any control loop was at work."
    )
    if seen_at := last_seen_control_loop():
        family.add_metric([], (timezone.now() - seen_at).total_seconds())
    return family


def _model_servers() -> Iterator[GaugeMetricFamily]:
    """Of each server that answers; none where every worker has its own networks."""
    described = {
        "load": "Busy share of the device, 0 to 1.",
        "frame_ms": "Milliseconds of one face in a pass.",
        "room": "Broadcasts of 25 pictures a second that fit yet.",
        "on_air": "Broadcasts that are painted.",
        "late": "Faces that could not be ready when they were due, since the server began.",
    }
    states = [read_state(server) for server in present_servers()]
    for name, text in described.items():
        family = GaugeMetricFamily(f"livestudio_model_server_{name}", text, labels=["server"])
        for state in states:
            if state.state == "ready":
                family.add_metric([state.server.name], getattr(state, name))
        yield family


def _numbers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livestudio_broadcast_number",
        "Latest number of a broadcast, as its runner reports it.",
        labels=["broadcast", "name"],
    )
    rows = Broadcast.objects.filter(state__in=_ON_AIR).values_list("pk", "metrics")
    for key, metrics in rows:
        for name, value in flatten(metrics):
            family.add_metric([str(key), name], value)
    return family
