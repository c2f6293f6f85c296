"""Watching runners: what a death means, what an expired lease means, and when to insist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from inference.launchers.base import Launcher
from inference.models import Runner
from inference.protocol import Event, ProtocolError, decode
from inference.services import (
    active_runners,
    end_runner,
    poll_runner,
    run_folder,
    stop_runner,
)
from livestudio.common.log import get_logger
from streams.models import Broadcast, BroadcastState, DesiredState
from streams.models.broadcast import FINAL_STATES
from streams.poke import poke_consoles
from streams.services.commands import limited_stop
from streams.services.launching import plan_relaunch
from streams.services.lifecycle import finish_broadcast
from streams.services.recordings import close_left_open
from streams.services.runner_link import BroadcastGoneError, StaleLeaseError, store_events
from streams.states import move

log = get_logger(__name__)

# How long a runner may take to end by itself before it is told to, and then before it is killed.
STOP_NOW_SECONDS: Final = 15.0
STOP_SENTENCE_SECONDS: Final = 90.0
OVER_SECONDS: Final = 15.0
KILL_AFTER_SECONDS: Final = 10.0
# Of a stop with a limit of its own: nobody waits for recordings to be closed.
KILL_SOON_SECONDS: Final = 2.5
# Silent this long although it runs and web and database are well: it hangs.
HUNG_SECONDS: Final = 60.0
EVENTS_PER_READ: Final = 500


def note_deaths(launcher: Launcher) -> int:
    """Find launches whose process is gone, and do what follows; how many there were."""
    deaths = 0
    for runner in active_runners():
        poll = poll_runner(launcher, runner)
        if poll.status == "dead":
            _bury(runner, poll.reason)
            deaths += 1
    return deaths


def finish_stopped() -> int:
    """Close broadcasts that were stopped and have no process (any more)."""
    rows = Broadcast.objects.filter(desired_state=DesiredState.STOPPED)
    waiting = rows.exclude(state__in=FINAL_STATES).exclude(pk__in=_with_process())
    for broadcast in waiting:
        finish_broadcast(broadcast=broadcast, state="ended", reason=broadcast.reason)
    return len(waiting)


def mend_orphans() -> int:
    """Broadcasts that should have a process, have none and wait for none."""
    rows = Broadcast.objects.filter(desired_state=DesiredState.RUNNING, next_launch_at=None)
    rows = rows.exclude(state__in=(*FINAL_STATES, BroadcastState.STOPPING)).filter(
        lease_epoch__gt=0
    )
    lost = list(rows.exclude(pk__in=_with_process()))
    for broadcast in lost:
        with transaction.atomic():
            plan_relaunch(broadcast, None, "its process is gone")
    return len(lost)


def judge_leases(now: datetime) -> int:
    """Call broadcasts whose runner fell silent `recovering`. Only when all else is healthy."""
    rows = Broadcast.objects.filter(state=BroadcastState.LIVE, lease_expires_at__lt=now)
    told = "There is no word from the presenter's process; it may still be on air."
    silent = [row for row in rows if move(row, BroadcastState.RECOVERING, told)]
    for broadcast in silent:
        poke_consoles(broadcast.pk)
    return len(silent)


def insist(launcher: Launcher, now: datetime, *, may_judge: bool) -> None:
    """End processes that should have ended, or that hang while web and database are well."""
    for runner in active_runners():
        broadcast = Broadcast.objects.filter(pk=runner.broadcast).first()
        if runner.stop_asked_at is not None:
            if _is_past(runner.stop_asked_at, _kill_after_seconds(broadcast), now):
                stop_runner(launcher, runner, is_forced=True)
        elif _should_have_ended(runner, broadcast, now):
            stop_runner(launcher, runner, is_forced=False)
        elif may_judge and _hangs(broadcast, now):
            log.warning("runner hangs", broadcast_id=str(runner.broadcast))
            stop_runner(launcher, runner, is_forced=True)


def read_outbox(broadcast_id: UUID) -> Iterator[list[Event]]:
    """What a dead runner of this host had still to tell, in batches, without a torn last line."""
    path = run_folder(broadcast_id) / "outbox.jsonl"
    batch: list[Event] = []
    try:
        with path.open("rb") as file:
            for line in file:
                event = _event(line)
                if event is not None:
                    batch.append(event)
                if len(batch) == EVENTS_PER_READ:
                    yield batch
                    batch = []
    except FileNotFoundError:
        return
    if batch:
        yield batch


def _bury(runner: Runner, reason: str) -> None:
    """One death: hear its last events, then end, finish or launch again; once among all loops."""
    _hear_last_events(runner)
    with transaction.atomic():
        if not end_runner(runner, reason):
            return
        broadcast = Broadcast.objects.filter(pk=runner.broadcast).first()
        log.info("runner ended", broadcast_id=str(runner.broadcast), reason=reason)
        if broadcast is None or broadcast.lease_epoch != runner.lease_epoch:
            return
        close_left_open(broadcast)
        if broadcast.is_over:
            return
        is_stopping = broadcast.state == BroadcastState.STOPPING
        if is_stopping or broadcast.desired_state == DesiredState.STOPPED:
            finish_broadcast(broadcast=broadcast, state="ended", reason=broadcast.reason)
        else:
            plan_relaunch(broadcast, runner, reason)


def _hear_last_events(runner: Runner) -> None:
    try:
        for events in read_outbox(runner.broadcast):
            store_events(runner.broadcast, runner.lease_epoch, events)
    except (StaleLeaseError, BroadcastGoneError):
        return  # a newer runner has read the same outbox, or nobody wants to know


def _event(line: bytes) -> Event | None:
    try:
        raw = json.loads(line) if line.endswith(b"\n") else {}
        return decode(Event, raw) if "sequence" in raw else None
    except (ValueError, TypeError, ProtocolError):
        return None


def _should_have_ended(runner: Runner, broadcast: Broadcast | None, now: datetime) -> bool:
    if broadcast is None or broadcast.lease_epoch != runner.lease_epoch:
        return True
    if broadcast.is_over:
        return _is_past(broadcast.ended_at, OVER_SECONDS, now)
    if broadcast.desired_state != DesiredState.STOPPED:
        return False
    if limited := limited_stop(broadcast):
        return _is_past(limited.created_at, limited.args["limit_seconds"], now)
    return _is_past(broadcast.stop_requested_at, _patience_seconds(broadcast), now)


def _kill_after_seconds(broadcast: Broadcast | None) -> float:
    is_limited = broadcast is not None and limited_stop(broadcast) is not None
    return KILL_SOON_SECONDS if is_limited else KILL_AFTER_SECONDS


def _patience_seconds(broadcast: Broadcast) -> float:
    stop = broadcast.commands.filter(name="stop").order_by("-created_at").first()
    is_now = stop is not None and stop.args.get("when") == "now"
    return STOP_NOW_SECONDS if is_now else STOP_SENTENCE_SECONDS


def _hangs(broadcast: Broadcast | None, now: datetime) -> bool:
    return broadcast is not None and _is_past(broadcast.lease_expires_at, HUNG_SECONDS, now)


def _is_past(moment: datetime | None, seconds: float, now: datetime) -> bool:
    return moment is not None and now - moment > timedelta(seconds=seconds)


def _with_process() -> list[UUID]:
    return list(active_runners().values_list("broadcast", flat=True))
