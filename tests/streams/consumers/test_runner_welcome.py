"""What a runner is told when it dials, and told again while it is on air."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone, translation

from inference.models import Runner
from inference.protocol import (
    CLOSE_STALE_RUNNER,
    PROTOCOL_VERSION,
    Cursor,
    Heartbeat,
    Hello,
    Result,
    decode_message,
)
from livestudio.common.reasons import translate_reason
from streams.consumers import runner_link as consumer_module
from streams.consumers.runner_link import CLOSE_TRY_AGAIN
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


async def close_code_of_hello(broadcast: Broadcast) -> int:
    """What a runner that dials is closed with, as each of its next dials would be."""
    epoch = broadcast.lease_epoch
    async with runner_peer(broadcast) as runner:
        await runner.tell(Hello(runner.broadcast, epoch, PROTOCOL_VERSION, 1))
        return await runner.close_code()


@pytest.mark.parametrize("part", ["avatar", "voice"])
async def test_redial_without_presenter_or_voice_ends_the_broadcast_with_the_reason(
    live: Broadcast, cast: Cast, part: str
) -> None:
    await note_launch(live, live.lease_epoch, live_at=timezone.now())
    gone = {**live.snapshot, part: str(live.pk)}  # as after a loss of rows: services refuse it
    await Broadcast.objects.filter(pk=live.pk).aupdate(snapshot=gone)

    assert await close_code_of_hello(live) == CLOSE_STALE_RUNNER

    row = await Broadcast.objects.aget(pk=live.pk)
    assert row.state == "failed"
    name = {"avatar": "presenter", "voice": "voice"}[part]
    assert row.reason == f"The {name} of this broadcast does not exist any more."
    assert row.active_key is None
    with translation.override("zh-hans"):
        assert "不存在" in translate_reason(row.reason)
    # A runner that did not hear it is sent away as well, and the row keeps its reason.
    assert await close_code_of_hello(live) == CLOSE_STALE_RUNNER
    assert (await Broadcast.objects.aget(pk=live.pk)).reason == row.reason


async def test_plan_that_cannot_be_read_ends_what_is_not_on_air(broadcast: Broadcast) -> None:
    await note_launch(broadcast, broadcast.lease_epoch)
    await Broadcast.objects.filter(pk=broadcast.pk).aupdate(snapshot={"title": "of an old version"})

    assert await close_code_of_hello(broadcast) == CLOSE_STALE_RUNNER

    row = await Broadcast.objects.aget(pk=broadcast.pk)
    assert (row.state, row.reason) == ("failed", "The plan of this broadcast cannot be read.")


async def test_plan_that_cannot_be_read_leaves_a_show_on_air(live: Broadcast) -> None:
    await note_launch(live, live.lease_epoch, live_at=timezone.now())
    await Broadcast.objects.filter(pk=live.pk).aupdate(snapshot={"title": "of a newer version"})

    assert await close_code_of_hello(live) == CLOSE_TRY_AGAIN

    assert (await Broadcast.objects.aget(pk=live.pk)).state == "live"
    await Broadcast.objects.filter(pk=live.pk).aupdate(snapshot=live.snapshot)
    async with runner_peer(live) as runner:
        await runner.hello()


async def test_end_that_cannot_be_written_is_tried_again(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {**live.snapshot, "voice": str(live.pk)}
    await Broadcast.objects.filter(pk=live.pk).aupdate(snapshot=gone)

    def refuse(*args: Any) -> None:
        raise DatabaseError("read only")

    with monkeypatch.context() as broken:
        broken.setattr(consumer_module.service, "fail_broadcast", refuse)
        assert await close_code_of_hello(live) == CLOSE_TRY_AGAIN
    assert await close_code_of_hello(live) == CLOSE_STALE_RUNNER
    assert (await Broadcast.objects.aget(pk=live.pk)).state == "failed"
