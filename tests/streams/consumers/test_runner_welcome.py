"""What a runner is told when it dials, and told again while it is on air."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.models import Runner
from inference.protocol import Cursor, Heartbeat, Result, decode_message
from streams.consumers import runner_link as consumer_module
from streams.models import Broadcast, ControlCommand
from streams.services import ice
from streams.services.lifecycle import stop_broadcast
from streams.services.outputs import stop_output
from streams.services.speech import Speech, say
from tests.factories import Cast
from tests.streams.consumers.peers import in_database, runner_peer


async def test_credentials_of_a_long_broadcast_are_renewed_over_the_link(
    broadcast: Broadcast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ICE_SERVERS = ({"urls": ["turn:turn.example.org"], "secret": "shared"},)
    monkeypatch.setattr(ice, "RUNNER_SECONDS", 100)
    async with runner_peer(broadcast) as runner:
        first = await runner.hello()
        monkeypatch.setattr(ice, "RUNNER_SECONDS", 1_000_000)
        monkeypatch.setattr(consumer_module, "RENEW_SPEC_SECONDS", 0.0)
        await runner.tell(Heartbeat({}))
        second = decode_message(await runner.receive("welcome"))

    ends = [int(each.spec.ice.servers[0]["username"].split(":")[0]) for each in (first, second)]
    assert ends[1] - ends[0] > 900_000
    assert consumer_module.RENEW_SPEC_SECONDS * 2 < 7 * 24 * 3600


async def test_output_that_was_changed_while_the_link_was_down_is_in_the_next_welcome(
    live: Broadcast, cast: Cast
) -> None:
    async with runner_peer(live) as runner:
        before = await runner.hello()
    row = await live.outputs.select_related("broadcast__organization").aget()
    command = await in_database(stop_output, row=row, actor=cast.bob)
    late = timezone.now() - timedelta(seconds=1)
    await ControlCommand.objects.filter(pk=command.pk).aupdate(deadline=late)
    async with runner_peer(live) as runner:
        after = await runner.hello()

    assert [output.desired for output in before.spec.outputs] == ["live"]
    assert [output.desired for output in after.spec.outputs] == ["stopped"]


async def note_launch(broadcast: Broadcast, epoch: int, **values: Any) -> None:
    """As the control loop notes it."""
    now = timezone.now()
    await Runner.objects.acreate(
        broadcast=broadcast.pk, lease_epoch=epoch, launcher="local", started_at=now, **values
    )


@pytest.mark.parametrize("epoch", [1, 2], ids=["starting", "recovering"])
async def test_runner_that_was_stopped_before_it_was_on_air_is_sent_away(
    broadcast: Broadcast, cast: Cast, epoch: int
) -> None:
    is_first = epoch == 1
    first_frame_at = None if is_first else timezone.now()
    await Broadcast.objects.filter(pk=broadcast.pk).aupdate(
        state="starting" if is_first else "recovering",
        first_frame_at=first_frame_at,
        lease_epoch=epoch,
    )
    await note_launch(broadcast, epoch)
    row = await Broadcast.objects.aget(pk=broadcast.pk)
    await in_database(stop_broadcast, broadcast=row, actor=cast.alice)
    async with runner_peer(row) as runner:
        await runner.send({"type": "hello", "broadcast": runner.broadcast, "lease_epoch": epoch,
                           "version": 1, "pid": 1})  # fmt: skip
        assert await runner.close_code() == 4409


async def test_runner_on_air_is_welcome_while_it_stops(broadcast: Broadcast, cast: Cast) -> None:
    await note_launch(broadcast, broadcast.lease_epoch, live_at=timezone.now())
    await in_database(stop_broadcast, broadcast=broadcast, actor=cast.alice)
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        assert (await runner.receive("command"))["name"] == "stop"


async def test_crash_between_a_sentence_and_its_cursor_says_nothing_twice(
    live: Broadcast,
) -> None:
    said = {"id": "1", "source": "script", "text": "Hello.", "generation": 0, "state": "said"}
    after = {"cue": "c2", "sentence": 1, "loop": 0, "finished": False}
    over = {"cue": None, "sentence": 0, "loop": 0, "finished": True}
    async with runner_peer(live) as runner:
        await runner.hello()
        await runner.emit(runner.event("utterance", **said, next=after))
    async with runner_peer(live) as runner:
        middle = await runner.hello()
        await runner.emit(runner.event("utterance", **said, next=over))
    async with runner_peer(live) as runner:
        end = await runner.hello()

    assert middle.spec.cursor == Cursor("c2", 1, 0)
    assert end.spec.cursor.finished


async def test_line_of_the_operator_survives_two_crashes(live: Broadcast, cast: Cast) -> None:
    said = await in_database(say, broadcast=live, speech=Speech("Hello."), actor=cast.bob)
    line = {"id": str(said.pk), "source": "operator", "text": "Hello.", "generation": 0}
    async with runner_peer(live) as runner:
        await runner.hello()
        command = await runner.receive("command")
        await runner.tell(Result(command["id"], ok=True))
        await runner.emit(runner.event("utterance", **line, state="speaking"))
    for epoch in (2, 3):  # neither comes to say it
        await Broadcast.objects.filter(pk=live.pk).aupdate(lease_epoch=epoch)
        async with runner_peer(live, epoch=epoch) as runner:
            welcome = await runner.hello()
            started = runner.event("runner.started", pid=1, lease_epoch=epoch)
            queued = runner.event("utterance", **line, state="queued")
            await runner.emit(started, queued)

            assert [each.utterance for each in welcome.spec.says] == [str(said.pk)]
