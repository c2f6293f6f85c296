"""Command rows: written once, sent in order, answered once, expired in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from accounts.roles import SYSTEM
from inference.protocol import ProtocolError
from streams.errors import CommandFailedError, NotLiveError, RunnerUnreachableError
from streams.models import Broadcast, CommandState, ControlCommand, Utterance
from streams.poke import runner_group
from streams.services import commands
from streams.services.commands import Order, due_commands, finish_command, issue_command
from streams.services.lifecycle import finish_broadcast
from streams.services.speech import Speech, say

pytestmark = pytest.mark.database


def issue(broadcast: Broadcast, name: str = "skip", **values: Any) -> ControlCommand:
    args = values.pop("args", {})
    order = Order(name, args, **values)
    return issue_command(broadcast=broadcast, order=order, actor=SYSTEM)


def test_same_key_gives_the_first_row(broadcast: Broadcast) -> None:
    first = issue(broadcast, idempotency_key="k")

    assert issue(broadcast, idempotency_key="k").pk == first.pk
    assert issue(broadcast).pk != issue(broadcast).pk
    assert ControlCommand.objects.count() == 3


def test_race_for_a_key_gives_the_winners_row(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = issue(broadcast, idempotency_key="k")
    answers = iter([None, first])
    monkeypatch.setattr(commands, "find_command", lambda *_: next(answers))

    assert issue(broadcast, idempotency_key="k").pk == first.pk


def test_arguments_that_do_not_fit_are_a_mistake(broadcast: Broadcast) -> None:
    with pytest.raises(ProtocolError):
        issue(broadcast, "take", args={"cue": 5})
    with pytest.raises(ProtocolError):
        issue(broadcast, "dance")


def test_due_commands_come_in_order_and_sent_ones_again(broadcast: Broadcast) -> None:
    first, second, third = (issue(broadcast) for _ in range(3))
    assert commands.mark_sent(first.pk)
    assert not commands.mark_sent(first.pk)
    finish_command(second.pk, ok=True)

    assert [row.pk for row in due_commands(broadcast.pk)] == [first.pk, third.pk]


def test_late_command_expires_and_its_line_is_dropped(broadcast: Broadcast) -> None:
    with time_machine.travel(datetime(2027, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        utterance = say(broadcast=broadcast, speech=Speech("好。"), actor=SYSTEM)
        clock.shift(61)

        assert due_commands(broadcast.pk) == []

    utterance.refresh_from_db()
    assert utterance.state == "dropped"
    assert broadcast.commands.get().state == CommandState.EXPIRED


def test_answer_is_kept_once(broadcast: Broadcast) -> None:
    command = issue(broadcast)

    assert finish_command(command.pk, ok=True, data={"generation": 2})
    assert not finish_command(command.pk, ok=False, error={"code": "late", "message": ""})

    command.refresh_from_db()
    assert (command.state, command.result) == ("done", {"data": {"generation": 2}})


def test_refused_line_is_failed_in_the_transcript(broadcast: Broadcast) -> None:
    utterance = say(broadcast=broadcast, speech=Speech("好。"), actor=SYSTEM)

    finish_command(broadcast.commands.get().pk, ok=False, error={"message": "No voice answers."})

    utterance.refresh_from_db()
    assert (utterance.state, utterance.reason) == ("failed", "No voice answers.")


def test_end_of_the_broadcast_closes_what_waits(broadcast: Broadcast) -> None:
    said = say(broadcast=broadcast, speech=Speech("好。"), actor=SYSTEM)
    speaking = Utterance.objects.create(
        broadcast=broadcast, source="script", text="…", state="speaking"
    )
    command = issue(broadcast)

    assert finish_broadcast(broadcast=broadcast, state="failed", reason="gone")
    assert not finish_broadcast(broadcast=broadcast, state="ended")

    states = dict(Utterance.objects.values_list("pk", "state"))
    assert (states[said.pk], states[speaking.pk]) == ("dropped", "interrupted")
    with pytest.raises(NotLiveError):
        commands.wait_for_result(command)
    with pytest.raises(NotLiveError):
        issue(broadcast)


async def wait(command: ControlCommand, seconds: float = 0.0) -> dict[str, Any]:
    return await commands.await_result(command, seconds=seconds)


@pytest.mark.django_db(transaction=True)
async def test_consumer_waits_without_blocking(broadcast: Broadcast) -> None:
    command = await ControlCommand.objects.acreate(
        broadcast=broadcast, name="skip", deadline=datetime(2100, 1, 1, tzinfo=UTC)
    )

    with pytest.raises(RunnerUnreachableError):
        await wait(command)
    command.state, command.result = CommandState.DONE, {"data": {"generation": 3}}
    await command.asave()
    assert await wait(command) == {"generation": 3}
    command.state, command.result = CommandState.FAILED, {"error": {"message": "No."}}
    await command.asave()
    with pytest.raises(CommandFailedError, match="No."):
        await wait(command)


class Layer:
    """Notes what is sent to which group; broken, it fails as without Redis."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.sent: list[tuple[str, str]] = []
        self.is_broken = is_broken

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent.append((group, message["type"]))
        if self.is_broken:
            raise ConnectionError("no Redis")


def test_doorbell_rings_after_commit_only(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    layer = Layer()
    monkeypatch.setattr("streams.poke.get_channel_layer", lambda: layer)

    with django_capture_on_commit_callbacks(execute=True):
        issue(broadcast)
        before_commit = list(layer.sent)

    assert before_commit == []
    assert layer.sent == [(runner_group(broadcast.pk), "runner.poke")]


def test_broken_doorbell_does_not_fail_the_order(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    layer = Layer(is_broken=True)
    monkeypatch.setattr("streams.poke.get_channel_layer", lambda: layer)

    with django_capture_on_commit_callbacks(execute=True):
        issue(broadcast)

    assert len(layer.sent) == 1
    assert broadcast.commands.count() == 1
