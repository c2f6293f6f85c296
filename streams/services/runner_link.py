"""What a runner tells becomes truth here: events stored once, the lease renewed, answers kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from inference.protocol import (
    LEASE_SECONDS,
    Event,
    Heartbeat,
    Json,
    ProtocolError,
    Result,
    RunnerSpec,
    check_event,
)
from inference.services import has_been_live
from inference.tokens import make_run_token
from livestudio.common.log import get_logger
from streams.models import (
    Broadcast,
    BroadcastEvent,
    BroadcastState,
    ControlCommand,
    DesiredState,
)
from streams.runner_events import apply_event, happened_at, kept_data
from streams.services.commands import finish_command
from streams.services.lifecycle import finish_broadcast
from streams.services.metrics import keep_metrics
from streams.services.runner_spec import SpecUnavailableError, build_runner_spec
from streams.socket_messages import state_message
from streams.states import move

log = get_logger(__name__)

EVENTS_PER_BATCH: Final = 1000


class StaleLeaseError(Exception):
    """A newer runner holds this broadcast."""


class BroadcastGoneError(Exception):
    """The broadcast does not exist (any more)."""


class PlanUnreadableError(Exception):
    """The plan of a show on air cannot be read now: another version of the web may read it."""


# Why a runner that dials is closed; each has its close code at the door.
NOT_WELCOME: Final = (StaleLeaseError, BroadcastGoneError, PlanUnreadableError)


@dataclass(slots=True)
class Stored:
    """acknowledged: the last sequence that is safe; told: texts for consoles and viewers."""

    acknowledged: int
    told: list[Json] = field(default_factory=list)


def welcome_runner(broadcast_id: UUID | str, lease_epoch: int, pid: int) -> tuple[RunnerSpec, int]:
    """The spec with a new token, and the last event stored.

    Raises one of NOT_WELCOME, or a DomainError: no runner can carry out this plan (docs/adr/0036).
    """
    broadcast = _current(broadcast_id, lease_epoch)
    if broadcast.desired_state == DesiredState.STOPPED and not has_been_live(
        broadcast.pk, lease_epoch
    ):
        raise StaleLeaseError  # stopped before it was on air: it must not open its outputs
    _renew(broadcast, {"runner_pid": pid})
    return _readable_spec(broadcast), broadcast.acknowledged_sequence


def renew_spec(broadcast_id: UUID | str, lease_epoch: int) -> tuple[RunnerSpec, int]:
    """The spec as it is now, credentials fresh, for a runner on air. Raises StaleLeaseError."""
    broadcast = _current(broadcast_id, lease_epoch)
    token = make_run_token(str(broadcast.pk), lease_epoch)
    return build_runner_spec(broadcast, token=token), broadcast.acknowledged_sequence


def store_events(broadcast_id: UUID | str, lease_epoch: int, events: Sequence[Event]) -> Stored:
    """Store and apply what is new, in order, all or nothing; repeats change nothing.

    Raises StaleLeaseError; a database that is down means: not acknowledged, it is sent again.
    """
    with transaction.atomic():
        broadcast = _current(broadcast_id, lease_epoch, for_update=True)
        stored = Stored(broadcast.acknowledged_sequence)
        for event in sorted(events, key=lambda item: item.sequence)[:EVENTS_PER_BATCH]:
            if event.sequence > stored.acknowledged:
                stored.told += _store(broadcast, event)
                stored.acknowledged = event.sequence
        Broadcast.objects.filter(pk=broadcast.pk).update(acknowledged_sequence=stored.acknowledged)
    return stored


def renew_lease(broadcast_id: UUID | str, lease_epoch: int, heartbeat: Heartbeat) -> list[Json]:
    """Note that the runner lives, with its newest numbers. Raises StaleLeaseError."""
    broadcast = _current(broadcast_id, lease_epoch)
    _renew(broadcast, {"workers": list(heartbeat.workers)} if heartbeat.workers else {})
    keep_metrics(broadcast.pk, heartbeat.metrics)
    is_back = broadcast.state == BroadcastState.RECOVERING and has_been_live(
        broadcast.pk, lease_epoch
    )
    if is_back and move(broadcast, BroadcastState.LIVE, "", epoch=lease_epoch):
        return [state_message(broadcast)]
    return []


def store_result(broadcast_id: UUID | str, result: Result) -> None:
    """Keep the runner's answer to a command of its broadcast; a repeated one changes nothing."""
    try:
        key = UUID(result.id)
    except ValueError:
        log.warning("answer to an unknown command")
        return
    if not ControlCommand.objects.filter(pk=key, broadcast__pk=broadcast_id).exists():
        log.warning("answer to a command of another broadcast", broadcast_id=str(broadcast_id))
        return
    finish_command(key, ok=result.ok, error=result.error, data=result.data)


def fail_broadcast(broadcast_id: UUID | str, lease_epoch: int, reason: str) -> None:
    """No runner can carry out this plan. Raises StaleLeaseError."""
    broadcast = _current(broadcast_id, lease_epoch)
    finish_broadcast(broadcast=broadcast, state="failed", reason=reason)


def lease_end(now: datetime) -> datetime:
    """When a lease renewed now ends."""
    return now + timedelta(seconds=LEASE_SECONDS)


def _current(broadcast_id: UUID | str, lease_epoch: int, *, for_update: bool = False) -> Broadcast:
    rows = Broadcast.objects.select_for_update() if for_update else Broadcast.objects.all()
    broadcast: Broadcast | None = rows.filter(pk=broadcast_id).first()
    if broadcast is None:
        raise BroadcastGoneError
    if broadcast.lease_epoch != lease_epoch:
        raise StaleLeaseError
    return broadcast


def _readable_spec(broadcast: Broadcast) -> RunnerSpec:
    """A plan that cannot be read ends an airing that has not begun, never one that is seen."""
    token = make_run_token(str(broadcast.pk), broadcast.lease_epoch)
    try:
        return build_runner_spec(broadcast, token=token)
    except (LookupError, TypeError, ValueError) as error:
        log.exception("plan not readable", broadcast_id=str(broadcast.pk))
        if has_been_live(broadcast.pk, broadcast.lease_epoch):
            raise PlanUnreadableError from error
        raise SpecUnavailableError("The plan of this broadcast cannot be read.") from error


def _renew(broadcast: Broadcast, values: dict[str, Any]) -> None:
    now = timezone.now()
    rows = Broadcast.objects.filter(pk=broadcast.pk, lease_epoch=broadcast.lease_epoch)
    rows.update(last_heartbeat_at=now, lease_expires_at=lease_end(now), **values)


def _store(broadcast: Broadcast, event: Event) -> list[Json]:
    """One event: its row, then what it changes. A fault in the latter keeps the row."""
    try:
        check_event(event)
        at = happened_at(event)
    except (ProtocolError, ValueError) as error:
        log.warning("event refused", broadcast_id=str(broadcast.pk), reason=str(error))
        return []
    BroadcastEvent.objects.create(
        broadcast=broadcast, sequence=event.sequence, kind=event.kind, at=at, data=kept_data(event)
    )
    try:
        with transaction.atomic():
            return apply_event(broadcast, event)
    except (OperationalError, InterfaceError):
        raise  # nothing of this batch is acknowledged: it comes again
    except Exception:  # noqa: BLE001 - one event that we cannot use must not jam those behind it
        log.exception("event not applied", broadcast_id=str(broadcast.pk), kind=event.kind)
        return []
