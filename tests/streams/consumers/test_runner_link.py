"""The web end of the runner link: who may speak, and what becomes of what is said."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError

from inference.models import Runner
from inference.protocol import (
    Heartbeat,
    HeartbeatAcknowledged,
    Live,
    Metrics,
    Result,
    Thumbnail,
    encode_message,
)
from inference.tokens import make_run_token, read_run_token
from streams import runner_events
from streams.consumers import runner_link as consumer_module
from streams.models import Broadcast, BroadcastEvent, ControlCommand, Utterance
from streams.services import runner_link as service
from streams.services.outputs import replace_key
from streams.services.rundown import pause_script
from streams.services.speech import Speech, say
from streams.services.thumbnails import look_at_thumbnail
from tests.factories import Cast
from tests.streams.consumers.peers import browser, in_database, runner_peer
from tests.streams.plans import CANARY_KEY


async def fresh(broadcast: Broadcast) -> Broadcast:
    return await Broadcast.objects.aget(pk=broadcast.pk)


async def test_hello_is_answered_with_spec_and_renewed_token(broadcast: Broadcast) -> None:
    async with runner_peer(broadcast) as runner:
        welcome = await runner.hello()

    assert welcome.acknowledged == 0
    assert welcome.spec.broadcast == str(broadcast.pk)
    assert [output.stream_key for output in welcome.spec.outputs] == [CANARY_KEY]
    assert welcome.spec.token
    row = await fresh(broadcast)
    assert row.runner_pid == 4711
    assert row.lease_expires_at is not None


@pytest.mark.parametrize("token", ["", "forged", "a:b:c"])
async def test_wrong_token_is_closed_4401(broadcast: Broadcast, token: str) -> None:
    async with runner_peer(broadcast, token=token) as runner:
        assert await runner.close_code() == 4401


async def test_token_of_another_broadcast_is_closed_4401(broadcast: Broadcast) -> None:
    token = make_run_token(str(uuid.uuid4()), 1)
    async with runner_peer(broadcast, token=token) as runner:
        await runner.send({"type": "hello", "broadcast": runner.broadcast, "lease_epoch": 1,
                           "version": 1, "pid": 1})  # fmt: skip
        assert await runner.close_code() == 4401


async def test_older_epoch_is_closed_4409(broadcast: Broadcast) -> None:
    await Broadcast.objects.filter(pk=broadcast.pk).aupdate(lease_epoch=2)
    async with runner_peer(broadcast, epoch=1) as runner:
        await runner.send({"type": "hello", "broadcast": runner.broadcast, "lease_epoch": 1,
                           "version": 1, "pid": 1})  # fmt: skip
        assert await runner.close_code() == 4409


async def test_other_version_is_closed_4409(broadcast: Broadcast) -> None:
    async with runner_peer(broadcast) as runner:
        await runner.send({"type": "hello", "broadcast": runner.broadcast, "lease_epoch": 1,
                           "version": 99, "pid": 1})  # fmt: skip
        assert await runner.close_code() == 4409


async def test_runner_that_is_replaced_while_connected_is_closed_4409(
    broadcast: Broadcast,
) -> None:
    async with runner_peer(broadcast) as old:
        await old.hello()
        await Broadcast.objects.filter(pk=broadcast.pk).aupdate(lease_epoch=2)
        async with runner_peer(broadcast, epoch=2) as new:
            await new.hello()
            assert await old.close_code() == 4409


async def test_runner_without_hello_is_closed(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HELLO_SECONDS", 0.01)
    async with runner_peer(broadcast) as runner:
        assert await runner.close_code() == 4401


async def test_events_are_stored_once_and_applied_in_order(broadcast: Broadcast) -> None:
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        first = runner.event("broadcast.first_frame", media_time_ms=0)
        live = runner.event("broadcast.state", state="live", reason="")
        cursor = runner.event("cursor", cue="a", sentence=2, loop=1)
        assert await runner.emit(first, live) == 2
        assert await runner.emit(first, live, cursor) == 3
        assert await runner.emit(cursor, first) == 3

    row = await fresh(broadcast)
    stored = [event async for event in BroadcastEvent.objects.filter(broadcast=broadcast)]
    assert [event.sequence for event in stored] == [1, 2, 3]
    assert (row.state, row.cursor["sentence"], row.acknowledged_sequence) == ("live", 2, 3)
    assert row.first_frame_at is not None


async def test_utterance_follows_its_events(broadcast: Broadcast) -> None:
    key = str(uuid.uuid4())
    base = {"id": key, "source": "script", "text": "第一句。", "generation": 3, "cue": "c",
            "sentence": 0, "loop": 0}  # fmt: skip
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        await runner.emit(runner.event("utterance", **base, state="speaking", media_time_ms=40))
        speaking = await Utterance.objects.aget(pk=key)
        await runner.emit(
            runner.event("utterance", **base, state="said", played_ms=900, duration_ms=900)
        )

    said = await Utterance.objects.aget(pk=key)
    assert (speaking.state, speaking.media_time_ms) == ("speaking", 40)
    assert speaking.started_at is not None
    assert (said.state, said.played_ms, said.media_time_ms) == ("said", 900, 40)
    assert said.started_at == speaking.started_at


async def test_output_recording_and_worker_events_become_rows(
    broadcast: Broadcast, settings: Any
) -> None:
    output = await broadcast.outputs.aget()
    path = str(settings.RECORDINGS_DIR / "x" / "one.mp4")
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        await runner.emit(
            runner.event("output", id=str(output.pk), state="retrying", reason="refused",
                         dropped=5, reconnects=2),
            runner.event(
                "recording", id="r1", path=path, state="recording", reason="", media_time_ms=4200
            ),
            runner.event("worker", kind="face", pid=12, state="started", reason=""),
            runner.event("worker", kind="speech", pid=13, state="started", reason=""),
            runner.event("worker", kind="speech", pid=13, state="died", reason="killed"),
            runner.event("recording", id="r1", path=path, state="finished", reason=""),
            runner.event("script.state", script="paused", reason=""),
        )  # fmt: skip

    await output.arefresh_from_db()
    recording = await broadcast.recordings.aget()
    row = await fresh(broadcast)
    assert (output.state, output.reason, output.reconnects) == ("retrying", "refused", 2)
    assert (recording.path, recording.state) == ("x/one.mp4", "finished")
    assert recording.media_time_ms == 4200
    assert recording.ended_at is not None
    logged = [event.data["path"] async for event in broadcast.events.filter(kind="recording")]
    assert logged == ["x/one.mp4"] * 2  # read by tenants, who have no business with our folders
    assert row.workers == [{"kind": "face", "pid": 12}]
    assert row.script == "paused"


async def test_end_of_the_broadcast_closes_its_rows(broadcast: Broadcast) -> None:
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        await runner.emit(runner.event("broadcast.state", state="ended", reason="rundown done"))

    row = await fresh(broadcast)
    assert (row.state, row.reason, row.active_key) == ("ended", "rundown done", None)
    assert row.ended_at is not None


async def test_useless_event_does_not_jam_those_behind_it(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("cannot be used")

    monkeypatch.setitem(runner_events.HANDLERS, "worker", fail)
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        unknown = runner.event("from.the.future")
        broken = runner.event("worker", kind="face", pid=1, state="started", reason="")
        cursor = runner.event("cursor", cue=None, sentence=7, loop=0)
        assert await runner.emit(unknown, broken, cursor) == 3

    assert (await fresh(broadcast)).cursor["sentence"] == 7
    kinds = [event.kind async for event in BroadcastEvent.objects.filter(broadcast=broadcast)]
    assert kinds == ["worker", "cursor"]


async def test_database_that_is_down_keeps_the_socket_and_loses_nothing(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consumer_module, "TICK_SECONDS", 0.01)
    works, store = [False], service.store_events

    def fail_at_first(*args: Any) -> Any:
        if not works[0]:
            raise OperationalError("the server has gone away")
        return store(*args)

    monkeypatch.setattr(service, "store_events", fail_at_first)
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        cursor = runner.event("cursor", cue="a", sentence=1, loop=0)
        await runner.send({"type": "events", "events": [vars_of(cursor)]})
        await runner.tell(Heartbeat({}, sent_at_ms=5))
        assert await runner.receive("heartbeat_acknowledged")
        assert not runner.kept
        works[0] = True
        assert await runner.emit(cursor) == 1


def vars_of(event: Any) -> dict[str, Any]:
    return {"sequence": event.sequence, "kind": event.kind, "at": event.at, "data": event.data}


async def test_heartbeat_renews_the_lease_and_keeps_the_numbers(broadcast: Broadcast) -> None:
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        before = await fresh(broadcast)
        await runner.tell(Heartbeat({"fps": 25}, 123, ({"kind": "face", "pid": 9},)))
        answer = await runner.receive()
        token = answer["token"]
        assert read_run_token(token).lease_epoch == 1
        assert answer == encode_message(HeartbeatAcknowledged(123, token))
        await runner.emit(runner.event("cursor", cue=None, sentence=0, loop=0))
        # The tick that stores the heartbeat runs beside the store of events.
        for _ in range(100):
            after = await fresh(broadcast)
            if after.metrics:
                break

    assert after.metrics == {"fps": 25}
    assert after.workers == [{"kind": "face", "pid": 9}]
    assert before.lease_expires_at is not None
    assert after.lease_expires_at is not None
    assert after.lease_expires_at > before.lease_expires_at


async def test_heartbeat_brings_a_recovering_broadcast_back(live: Broadcast) -> None:
    await Runner.objects.acreate(
        broadcast=live.pk, lease_epoch=1, launcher="local", started_at=live.created_at,
        live_at=live.created_at,
    )  # fmt: skip
    await Broadcast.objects.filter(pk=live.pk).aupdate(state="recovering", reason="silent")

    told = await in_database(service.renew_lease, live.pk, 1, Heartbeat({}))

    row = await fresh(live)
    assert (row.state, row.reason) == ("live", "")
    assert [message["state"] for message in told] == ["live"]


async def test_command_reaches_the_runner_and_its_answer_the_row(
    live: Broadcast, cast: Cast
) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        command = await in_database(pause_script, broadcast=live, actor=cast.bob)
        sent = await runner.receive("command")
        await runner.tell(Result(sent["id"], ok=True, data={"generation": 4}))
        await runner.emit(runner.event("cursor", cue=None, sentence=0, loop=0))

    await command.arefresh_from_db()
    assert (sent["id"], sent["name"]) == (str(command.pk), "pause")
    assert (command.state, command.result) == ("done", {"data": {"generation": 4}})
    assert command.sent_at is not None


async def test_refused_say_fails_its_utterance(live: Broadcast, cast: Cast) -> None:
    utterance = await in_database(say, broadcast=live, speech=Speech("你好"), actor=cast.bob)
    async with runner_peer(live) as runner:
        await runner.hello()
        sent = await runner.receive("command")
        error = {"code": "no_voice", "message": "No voice is left."}
        await runner.tell(Result(sent["id"], ok=False, error=error))
        await runner.emit(runner.event("cursor", cue=None, sentence=0, loop=0))

    await utterance.arefresh_from_db()
    assert (utterance.state, utterance.reason) == ("failed", "No voice is left.")


async def test_unanswered_command_is_sent_again_after_reconnect(
    live: Broadcast, cast: Cast
) -> None:
    await in_database(pause_script, broadcast=live, actor=cast.bob)
    async with runner_peer(live) as runner:
        await runner.hello()
        first = await runner.receive("command")
    async with runner_peer(live) as runner:
        await runner.hello()
        second = await runner.receive("command")
        await runner.tell(Result(second["id"], ok=True))
        await runner.emit(runner.event("cursor", cue=None, sentence=0, loop=0))

    assert first == second
    states = [row.state async for row in ControlCommand.objects.filter(broadcast=live)]
    assert states == ["done"]


async def test_key_is_added_when_the_command_is_sent_and_is_in_no_row(
    live: Broadcast, cast: Cast
) -> None:
    output = await live.outputs.select_related("broadcast__organization").aget()
    secret = "canary-of-today-5521"
    command = await in_database(replace_key, row=output, stream_key=secret, actor=cast.alice)
    async with runner_peer(live) as runner:
        await runner.hello()
        sent = await runner.receive("command")

    assert sent["args"] == {"id": str(output.pk), "stream_key": secret}
    await command.arefresh_from_db()
    assert secret not in str(command.args)


async def test_thumbnail_is_kept_when_it_is_a_small_jpeg(live: Broadcast) -> None:
    cache.clear()
    picture = b"\xff\xd8" + b"x" * 100
    async with runner_peer(live) as runner:
        await runner.hello()
        await runner.tell(Thumbnail("not base64!"))
        await runner.tell(Thumbnail(base64.b64encode(b"GIF89a").decode()))
        await runner.tell(Thumbnail(base64.b64encode(picture).decode()))
        await runner.emit(runner.event("cursor", cue=None, sentence=0, loop=0))
        kept = await in_database(look_at_thumbnail, live)
        watch = await runner.receive("watch_thumbnail")

    assert kept == picture
    assert watch["seconds"] > 0


async def test_consoles_hear_metrics_captions_and_events(live: Broadcast, cast: Cast) -> None:
    async with runner_peer(live) as runner, browser(live, "console", cast.bob) as console:
        await runner.hello()
        await console.receive("welcome")
        await runner.tell(Metrics({"fps": 25}))
        await runner.tell(Metrics({"fps": 24}))  # within 200 ms: dropped
        caption = {"utterance": "u", "text": "你好", "start_ms": 0, "end_ms": 900}
        await runner.tell(Live("caption", caption))
        await runner.emit(runner.event("cursor", cue="a", sentence=1, loop=0))
        heard = [await console.receive() for _ in range(4)]

    assert [message["type"] for message in heard] == ["metrics", "caption", "event", "cursor"]
    assert heard[0]["metrics"] == {"fps": 25}
    assert heard[1] == {"type": "caption", **caption}
    assert heard[2]["sequence"] == 1
    assert heard[3] == {"type": "cursor", "cue": "a", "sentence": 1, "loop": 0}


async def test_nonsense_is_ignored(broadcast: Broadcast, caplog: pytest.LogCaptureFixture) -> None:
    async with runner_peer(broadcast) as runner:
        await runner.communicator.send_to(text_data="{")
        await runner.communicator.send_to(bytes_data=b"\x00")
        await runner.send([1, 2])
        await runner.send({"type": "events", "events": [{"sequence": "one"}]})
        assert (await runner.hello()).acknowledged == 0
