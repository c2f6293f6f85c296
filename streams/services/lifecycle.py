"""Start, stop and end of a broadcast."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import record
from accounts.models import User
from accounts.roles import SystemActor, require_permission
from inference.protocol import Json, OutputState
from livestudio.common.deadlocks import tried_again_on_deadlock
from streams.errors import BroadcastAlreadyLiveError
from streams.models import (
    Broadcast,
    BroadcastOutput,
    BroadcastState,
    ControlCommand,
    DesiredState,
    Occurrence,
    Output,
    Show,
    Utterance,
)
from streams.models.broadcast import OutputDesired, UtteranceState
from streams.poke import poke_consoles, poke_control_loop
from streams.services.commands import Order, expire_commands, issue_command, require_on_air
from streams.services.quotas import close_account, open_account
from streams.services.readiness import require_ready
from streams.services.runner_spec import take_snapshot
from streams.services.whep import forget_all
from streams.states import move
from streams.telling import tell_broadcast

When = Literal["now", "sentence_end"]

STOP_DEADLINE_SECONDS: Final = 300.0
STOPPED: Final[OutputState] = "stopped"
STOPPED_BY_OPERATOR: Final = "stopped by the operator"


@tried_again_on_deadlock
def start_broadcast(
    *, show: Show, actor: User | SystemActor, occurrence: Occurrence | None = None
) -> Broadcast:
    """Open a broadcast in `starting`; the control loop launches its runner.

    Raises ShowNotReadyError (400) naming what is missing, BroadcastAlreadyLiveError (409),
    QuotaExceededError (409).
    """
    require_permission(actor, "broadcast.start", show.organization)
    require_ready(show)
    with transaction.atomic():
        _hold(show)
        broadcast = _open(show, actor, occurrence)
        for output in show.outputs.order_by("created_at"):
            attach_output(broadcast, output)
        open_account(broadcast)
        record(actor, "streams.broadcast.started", broadcast)
        tell_broadcast(broadcast, "started")
        transaction.on_commit(poke_control_loop)
    return broadcast


def stop_broadcast(
    *,
    broadcast: Broadcast,
    actor: User | SystemActor,
    when: When = "sentence_end",
    idempotency_key: str | None = None,
    reason: str = STOPPED_BY_OPERATOR,
    limit_seconds: float | None = None,
) -> ControlCommand:
    """Ask the runner to end; the control loop sees to it that it does. Raises NotLiveError.

    May be repeated: `now` after `sentence_end` makes it quicker. reason: shown to whoever looks.
    limit_seconds: the control loop ends a runner that takes longer; None = its usual time.
    """
    require_permission(actor, "broadcast.start", broadcast.organization)
    require_on_air(broadcast)
    with transaction.atomic():
        Broadcast.objects.filter(pk=broadcast.pk).update(
            desired_state=DesiredState.STOPPED, stop_requested_at=timezone.now()
        )
        move(broadcast, BroadcastState.STOPPING, reason)
        args: Json = {"when": when, "reason": reason}
        if limit_seconds is not None:
            args["limit_seconds"] = limit_seconds
        order = Order("stop", args, idempotency_key, STOP_DEADLINE_SECONDS)
        command = issue_command(broadcast=broadcast, order=order, actor=actor)
        record(actor, "streams.broadcast.stopped", broadcast, data={"when": when})
        transaction.on_commit(lambda: _ring_all(broadcast.pk))
    return command


def finish_broadcast(
    *, broadcast: Broadcast, state: Literal["ended", "failed"], reason: str = ""
) -> bool:
    """Close the row and everything that hangs on it, once. For the control loop and the runner.

    Frees the show for its next airing, drops what was queued, stops the outputs' rows, expires
    the commands. False when the broadcast was over already.
    """
    with transaction.atomic():
        if not move(broadcast, state, reason):
            return False
        close_account(broadcast)
        expire_commands(broadcast)
        _close_transcript(broadcast)
        forget_all(broadcast.pk)
        broadcast.outputs.exclude(state="failed").update(state=STOPPED, bitrate_kbps=None)
        transaction.on_commit(lambda: poke_consoles(broadcast.pk))
    return True


def attach_output(broadcast: Broadcast, output: Output) -> BroadcastOutput:
    """The row of this output on this airing, waiting for a key where today's is not known."""
    waits = output.key_per_broadcast
    return BroadcastOutput.objects.create(
        broadcast=broadcast,
        output=output,
        name=output.name,
        kind=output.kind,
        url=output.url,
        desired=OutputDesired.WAITING_FOR_KEY if waits else OutputDesired.LIVE,
        state="waiting_for_key" if waits else "connecting",
    )


def _hold(show: Show) -> None:
    """Nobody puts it away until the commit. Raises ShowNotReadyError when somebody just has."""
    rows = Show.objects.select_for_update().values_list("archived_at", flat=True)
    show.archived_at = rows.get(pk=show.pk)
    if show.archived_at is not None:
        require_ready(show)


def _open(show: Show, actor: User | SystemActor, occurrence: Occurrence | None) -> Broadcast:
    try:
        with transaction.atomic():  # a savepoint, so that the refusal leaves the caller usable
            return Broadcast.objects.create(
                organization=show.organization,
                show=show,
                occurrence=occurrence,
                started_by=actor if isinstance(actor, User) else None,
                active_key=show.pk,
                avatar_on_air=show.avatar,
                voice_on_air=show.voice,
                snapshot=take_snapshot(show),
                recording_wanted=show.record,
                started_at=timezone.now(),
            )
    except IntegrityError as error:
        raise BroadcastAlreadyLiveError from error


def _close_transcript(broadcast: Broadcast) -> None:
    rows: list[tuple[str, str]] = [
        (UtteranceState.QUEUED, UtteranceState.DROPPED),
        # How much of it was heard is unknown, so it is not called said.
        (UtteranceState.SPEAKING, UtteranceState.INTERRUPTED),
    ]
    for source, target in rows:
        Utterance.objects.filter(broadcast=broadcast, state=source).update(state=target)


def _ring_all(broadcast_id: UUID) -> None:
    poke_control_loop()
    poke_consoles(broadcast_id)
