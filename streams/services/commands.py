"""Commands to the runner: rows first, then a doorbell; answers come back in the row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.roles import SystemActor
from inference.protocol import decode_command
from livestudio.common.places import Places
from streams.errors import CommandFailedError, NotLiveError, RunnerUnreachableError
from streams.models import Broadcast, CommandState, ControlCommand, Utterance
from streams.models.broadcast import REASON_MAX_CHARACTERS, UtteranceState
from streams.poke import poke_runner

COMMAND_DEADLINE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
ANSWER_WAIT_SECONDS: Final = 2.0
# Each holds a thread of this process while a runner does not answer.
ANSWERS_AWAITED: Final = Places(each=8, total=max(1, settings.WEB_THREADS // 2))
WAITING_STATES: Final = (CommandState.PENDING, CommandState.SENT)
# Rows of these hold only the id of the output; the key is added from the vault at sending.
FILLED_AT_SENDING: Final = frozenset({"output_add", "output_replace_key"})


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the runner. args: the JSON of the command's dataclass in `protocol`."""

    name: str
    args: Mapping[str, Any]
    idempotency_key: str | None = None
    deadline_seconds: float = COMMAND_DEADLINE_SECONDS


def issue_command(
    *, broadcast: Broadcast, order: Order, actor: User | SystemActor
) -> ControlCommand:
    """Write the command row and ring the runner on commit.

    The same idempotency key gives the first row again. Raises NotLiveError when the broadcast is
    over, ProtocolError when the arguments do not fit the command (a mistake of ours).
    """
    require_on_air(broadcast)
    if order.name not in FILLED_AT_SENDING:
        decode_command(order.name, dict(order.args))
    known = find_command(broadcast, order.idempotency_key)
    if known is not None:
        return known
    command = _create(broadcast, order, actor)
    transaction.on_commit(lambda: poke_runner(broadcast.pk))
    return command


def require_on_air(broadcast: Broadcast) -> None:
    """Raises NotLiveError when the broadcast has ended or failed."""
    if broadcast.is_over:
        raise NotLiveError("This broadcast is over.")


def find_command(broadcast: Broadcast, idempotency_key: str | None) -> ControlCommand | None:
    """The command that was given with this key before, if any."""
    if not idempotency_key:
        return None
    return broadcast.commands.filter(idempotency_key=idempotency_key).first()


def due_commands(broadcast_id: UUID | str) -> list[ControlCommand]:
    """Commands to send now, oldest first; those past their deadline are closed first.

    `sent` ones are included: the runner executes an id once and answers a repeat from memory.
    """
    waiting = ControlCommand.objects.filter(broadcast_id=broadcast_id, state__in=WAITING_STATES)
    late = waiting.filter(deadline__lt=timezone.now())
    _expire(late, code="expired", message="The runner did not take it in time.")
    return list(waiting.order_by("created_at", "id"))


def mark_sent(command_id: UUID | str) -> bool:
    """Note that the command went out; False when it is no longer waiting."""
    rows = ControlCommand.objects.filter(pk=command_id, state=CommandState.PENDING)
    return rows.update(state=CommandState.SENT, sent_at=timezone.now()) == 1


def finish_command(
    command_id: UUID | str,
    *,
    ok: bool,
    error: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> bool:
    """Store the runner's answer once; False when there is one already."""
    # An answer may arrive after the deadline of what was executed before it: the answer is true.
    rows = ControlCommand.objects.filter(
        pk=command_id, state__in=(*WAITING_STATES, CommandState.EXPIRED)
    )
    state = CommandState.DONE if ok else CommandState.FAILED
    result = {"data": dict(data or {})} if ok else {"error": dict(error or {})}
    changed = rows.update(state=state, result=result, finished_at=timezone.now()) == 1
    if changed and not ok:
        message = str((error or {}).get("message", ""))
        _close_speech([ControlCommand.objects.get(pk=command_id)], UtteranceState.FAILED, message)
    return changed


def expire_commands(broadcast: Broadcast) -> int:
    """Close every command that a broadcast which is over will never execute."""
    waiting = broadcast.commands.filter(state__in=WAITING_STATES)
    return _expire(waiting, code="not_live", message="The broadcast ended first.")


def place_to_wait(broadcast: Broadcast) -> AbstractContextManager[None]:
    """Held from before the command is written until its answer: who finds none has ordered nothing.

    Raises RunnerUnreachableError when as many requests as may wait do so already.
    """
    message = (
        "Too many orders to this broadcast wait for an answer. Yours was not taken; try again."
    )
    return ANSWERS_AWAITED.hold(
        str(broadcast.pk), RunnerUnreachableError(message, retry_after_seconds=2)
    )


def wait_for_result(
    command: ControlCommand, *, seconds: float = ANSWER_WAIT_SECONDS
) -> dict[str, Any]:
    """The runner's answer data. Blocks a request thread, so never call it from a consumer.

    Raises RunnerUnreachableError after `seconds`: the command stands until its deadline;
    CommandFailedError when the runner refused.
    """
    until = time.monotonic() + seconds
    while True:
        answer = read_answer(ControlCommand.objects.get(pk=command.pk))
        if answer is not None:
            return answer
        if time.monotonic() >= until:
            raise RunnerUnreachableError(retry_after_seconds=2)
        time.sleep(POLL_SECONDS)


async def await_result(
    command: ControlCommand, *, seconds: float = ANSWER_WAIT_SECONDS
) -> dict[str, Any]:
    """`wait_for_result` for consumers: the event loop stays free meanwhile."""
    until = time.monotonic() + seconds
    while True:
        answer = read_answer(await ControlCommand.objects.aget(pk=command.pk))
        if answer is not None:
            return answer
        if time.monotonic() >= until:
            raise RunnerUnreachableError(retry_after_seconds=2)
        await asyncio.sleep(POLL_SECONDS)


def read_answer(command: ControlCommand) -> dict[str, Any] | None:
    """The data of a finished command, None while it waits. Raises CommandFailedError."""
    if command.state in WAITING_STATES:
        return None
    result = command.result or {}
    if command.state == CommandState.DONE:
        return dict(result.get("data") or {})
    error = result.get("error") or {}
    message = error.get("message")
    if error.get("code") == "not_live":
        raise NotLiveError(message)
    if command.state == CommandState.EXPIRED:
        raise RunnerUnreachableError(message, retry_after_seconds=2)
    raise CommandFailedError(message)


def limited_stop(broadcast: Broadcast) -> ControlCommand | None:
    """The first stop with a limit of its own: later ones do not prolong it."""
    stops = broadcast.commands.filter(name="stop").order_by("created_at")
    return next((stop for stop in stops if stop.args.get("limit_seconds") is not None), None)


def _create(broadcast: Broadcast, order: Order, actor: User | SystemActor) -> ControlCommand:
    try:
        with transaction.atomic():  # a savepoint: the request's transaction survives the collision
            return ControlCommand.objects.create(
                broadcast=broadcast,
                name=order.name,
                args=dict(order.args),
                actor=actor if isinstance(actor, User) else None,
                idempotency_key=order.idempotency_key or None,
                deadline=timezone.now() + timedelta(seconds=order.deadline_seconds),
            )
    except IntegrityError:
        known = find_command(broadcast, order.idempotency_key)
        if known is None:
            raise
        return known


def _expire(waiting: QuerySet[ControlCommand], *, code: str, message: str) -> int:
    late = list(waiting)
    waiting.filter(pk__in=[command.pk for command in late]).update(
        state=CommandState.EXPIRED,
        finished_at=timezone.now(),
        result={"error": {"code": code, "message": message}},
    )
    _close_speech(late, UtteranceState.DROPPED, message)
    return len(late)


def _close_speech(commands: Iterable[ControlCommand], state: str, reason: str) -> None:
    """What was to be said by these commands will not be; the transcript says so."""
    ids = [command.args["utterance"] for command in commands if command.name == "say"]
    if ids:
        queued = Utterance.objects.filter(pk__in=ids, state=UtteranceState.QUEUED)
        queued.update(state=state, reason=reason[:REASON_MAX_CHARACTERS])
