"""The console websocket: tickets, rights at each command, answers instead of dropped sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from accounts.models import Membership
from accounts.roles import Role
from streams.consumers import audience as audience_module
from streams.consumers import base as base_module
from streams.consumers import console as console_module
from streams.models import Broadcast, BroadcastEvent, ControlCommand
from streams.poke import poke_consoles
from streams.services.tickets import create_ticket
from tests.factories import Cast, add_member, api_client
from tests.streams.consumers.peers import (
    AT,
    ORIGIN,
    Socket,
    application,
    browser,
    in_database,
    runner_peer,
)


async def test_welcome_shows_the_broadcast_and_the_rights(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        welcome = await console.receive()

    assert (welcome["type"], welcome["version"]) == ("welcome", 1)
    assert welcome["broadcast"]["id"] == str(live.pk)
    assert welcome["broadcast"]["state"] == "live"
    assert "broadcast.steer" in welcome["permissions"]
    assert "show.edit" not in welcome["permissions"]


@pytest.mark.parametrize("ticket", ["", "nonsense"])
async def test_unknown_ticket_is_closed_4401(live: Broadcast, cast: Cast, ticket: str) -> None:
    async with browser(live, "console", cast.bob, ticket=ticket) as console:
        assert await console.close_code() == 4401


async def test_ticket_works_once(live: Broadcast, cast: Cast) -> None:
    ticket = await in_database(
        create_ticket, broadcast=live, purpose="console", user=cast.bob, origin=ORIGIN
    )
    async with browser(live, "console", cast.bob, ticket=ticket) as first:
        await first.receive("welcome")
        async with browser(live, "console", cast.bob, ticket=ticket) as second:
            assert await second.close_code() == 4401


async def test_ticket_of_another_origin_or_purpose_is_closed_4401(
    live: Broadcast, cast: Cast
) -> None:
    async with browser(live, "console", cast.bob, origin="http://evil.test") as console:
        assert await console.close_code() == 4401
    ticket = await in_database(
        create_ticket, broadcast=live, purpose="watch", user=cast.bob, origin=ORIGIN
    )
    async with browser(live, "console", cast.bob, ticket=ticket) as console:
        assert await console.close_code() == 4401


async def test_outsider_is_closed_4404(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.charlie) as console:
        assert await console.close_code() == 4404


async def test_command_runs_the_rest_verb_and_is_answered(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        say = {"type": "command", "id": "1", "name": "say", "args": {"text": "你好"}}
        await console.send(say)
        first = await console.receive("result")
        await console.send(say)
        again = await console.receive("result")

    assert (first["id"], first["ok"]) == ("1", True)
    assert first["data"]["utterance"]["state"] == "queued"
    assert again["data"] == first["data"]  # the same id is the same command
    assert await ControlCommand.objects.filter(broadcast=live).acount() == 1


async def test_command_is_the_same_over_http_with_its_key(live: Broadcast, cast: Cast) -> None:
    """A page whose websocket broke before the answer asks again the other way."""
    path, line = f"/api/v1/broadcasts/{live.pk}/say/", {"text": "你好"}
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await console.send({"type": "command", "id": "7", "name": "say", "args": line})
        first = await console.receive("result")
    client = await in_database(api_client, cast.bob)

    headers = {"Idempotency-Key": "console.7"}
    again = await in_database(client.post, path, line, headers=headers)

    assert again.json() == first["data"]
    assert await ControlCommand.objects.filter(broadcast=live).acount() == 1


async def test_every_console_hears_that_recording_was_switched(live: Broadcast, cast: Cast) -> None:
    async with (
        browser(live, "console", cast.alice) as first,
        browser(live, "console", cast.bob) as second,
    ):
        await first.receive("welcome")
        await second.receive("welcome")
        await first.send({"type": "command", "id": "r", "name": "record", "args": {"on": True}})

        assert (await second.receive("state"))["record"] is True


async def test_interrupt_waits_for_the_runner(live: Broadcast, cast: Cast) -> None:
    async with runner_peer(live) as runner, browser(live, "console", cast.bob) as console:
        await runner.hello()
        await console.receive("welcome")
        await console.send({"type": "command", "id": "i", "name": "interrupt", "args": {}})
        command = await runner.receive("command")
        data = {"utterance": "u", "generation": 8}
        await runner.send({"type": "result", "id": command["id"], "ok": True, "data": data})
        result = await console.receive("result")

    assert command["args"] == {"resume_after_seconds": 5.0}
    assert (result["ok"], result["data"]) == (True, data)


async def test_refused_commands_say_what_is_wrong(live: Broadcast, cast: Cast) -> None:
    asked: list[tuple[str, Any, str]] = [
        ("dance", {}, "not_found"),
        ("say", {"text": ""}, "invalid"),
        ("say", [], "invalid"),
        ("take", {"cue": "x"}, "invalid"),
        ("expression", {"name": "smug"}, "invalid"),
    ]
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        for number, (name, args, code) in enumerate(asked):
            message = {"type": "command", "id": str(number), "name": name, "args": args}
            await console.send(message)
            result = await console.receive("result")
            assert (result["id"], result["ok"]) == (str(number), False)
            assert result["error"]["code"] == code, result
            assert result["error"]["message"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN,en;q=0.8", ("文本不是 JSON。", "没有命令 'dance'。可用的有：stop")),
        ("en", ("The text is not JSON.", "There is no command 'dance'. There are: stop")),
        ("", ("The text is not JSON.", "There is no command 'dance'. There are: stop")),
    ],
)
async def test_refusals_are_in_the_language_of_the_handshake(
    live: Broadcast, cast: Cast, language: str, words: tuple[str, str]
) -> None:
    async with browser(live, "console", cast.bob, language=language) as console:
        await console.receive("welcome")
        await console.communicator.send_to(text_data="{")
        text = await console.receive("result")
        await console.send({"type": "command", "id": "1", "name": "dance", "args": {}})
        command = await console.receive("result")

    assert text["error"]["message"] == words[0]
    assert command["error"]["message"].startswith(words[1])


async def test_viewer_may_look_but_not_steer(live: Broadcast, cast: Cast) -> None:
    dora = await in_database(add_member, cast.organization, Role.VIEWER, "dora")
    async with browser(live, "console", dora) as console:
        await console.receive("welcome")
        await console.send({"type": "command", "id": "1", "name": "skip", "args": {}})
        result = await console.receive("result")

    assert result["error"]["code"] == "forbidden"


async def test_right_is_asked_again_at_each_command(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await Membership.objects.filter(user=cast.bob).adelete()
        await console.send({"type": "command", "id": "1", "name": "skip", "args": {}})
        assert (await console.receive("result"))["error"]["code"] == "not_found"
        assert await console.close_code() == 4404
    assert await ControlCommand.objects.acount() == 0


async def test_right_is_asked_again_while_listening(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_module, "RECHECK_SECONDS", 0.05)
    async with runner_peer(live) as runner, browser(live, "console", cast.bob) as console:
        await runner.hello()
        await console.receive("welcome")
        await Membership.objects.filter(user=cast.bob).adelete()
        assert await console.close_code() == 4404
        await runner.emit(runner.event("cursor", cue="secret", sentence=0, loop=0))
        assert await console.communicator.receive_nothing(0.05)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "17",
        '{"type": "offer", "sdp": ""}',
        '{"type": "command", "name": "skip"}',
        '{"type": "command", "id": 5, "name": "skip"}',
        '{"type": "replay", "after_sequence": "all"}',
        "x" * 70_000,
        "[" * 60_000,
    ],
)
async def test_bad_text_is_answered_and_the_socket_stays(
    live: Broadcast, cast: Cast, text: str
) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await console.communicator.send_to(text_data=text)
        refused = await console.receive("result")
        await console.send({"type": "replay", "after_sequence": 0, "id": "r"})
        answered = await console.receive("result")

    assert (refused["ok"], refused["error"]["code"]) == (False, "invalid")
    assert (answered["id"], answered["ok"]) == ("r", True)


async def test_binary_is_refused(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await console.communicator.send_to(bytes_data=b"\x00")
        assert not (await console.receive("result"))["ok"]


async def test_flood_is_slowed_down(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "MESSAGES_BURST", 3.0)
    monkeypatch.setattr(base_module, "MESSAGES_PER_SECOND", 0.0)
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        for _ in range(4):
            await console.send({"type": "replay", "after_sequence": 0})
        results = [await console.receive("result") for _ in range(4)]

    assert [result["ok"] for result in results] == [True, True, True, False]
    assert "slow down" in results[3]["error"]["message"]


async def test_replay_gives_events_after_a_sequence(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "REPLAY_MAX_EVENTS", 3)
    rows = [
        BroadcastEvent(broadcast=live, sequence=number, kind="cursor", at=AT, data={})
        for number in range(1, 7)
    ]
    await BroadcastEvent.objects.abulk_create(rows)
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await console.send({"type": "replay", "after_sequence": 2, "id": "a"})
        events = [await console.receive() for _ in range(3)]
        first = await console.receive()
        await console.send({"type": "replay", "after_sequence": 5, "id": "b"})
        events.append(await console.receive())
        second = await console.receive()

    assert [event["sequence"] for event in events] == [3, 4, 5, 6]
    assert first["data"] == {"last_sequence": 5, "is_complete": False}
    assert second["data"] == {"last_sequence": 6, "is_complete": True}


async def test_change_by_a_service_is_told(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await Broadcast.objects.filter(pk=live.pk).aupdate(state="recovering", reason="lost")
        await in_database(poke_consoles, live.pk)
        state = await console.receive("state")
        output = await console.receive("output")

    assert (state["state"], state["reason"]) == ("recovering", "lost")
    assert output["state"] == "connecting"
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("message", "field", "words"),
    [
        ({"type": "command", "id": 7, "name": "say"}, "id", "必须是文本"),
        ({"type": "command", "id": "1"}, "name", "缺少"),
        ({"type": "command", "id": "1", "name": "say", "args": []}, "args", "必须是对象"),
        ({"type": "replay", "after_sequence": "x"}, "after_sequence", "必须是整数"),
    ],
)
async def test_a_message_of_the_wrong_shape_is_told_which_field(
    live: Broadcast, cast: Cast, message: dict[str, Any], field: str, words: str
) -> None:
    async with browser(live, "console", cast.bob, language="zh-CN") as console:
        await console.receive("welcome")
        await console.send(message)
        refused = await console.receive("result")

    assert (refused["ok"], refused["error"]["code"]) == (False, "invalid")
    assert f"`{field}`" in refused["error"]["message"]
    assert words in refused["error"]["message"]


@pytest.mark.parametrize(("language", "word"), [("", "valid UUID"), ("zh-CN", "有效的 UUID")])
async def test_what_the_framework_refuses_is_in_the_language_of_the_handshake(
    live: Broadcast, cast: Cast, language: str, word: str
) -> None:
    async with browser(live, "console", cast.bob, language=language) as console:
        await console.receive("welcome")
        await console.send({"type": "command", "id": "1", "name": "take", "args": {"cue": "x"}})
        refused = await console.receive("result")

    assert word in refused["error"]["message"]
    assert word in refused["error"]["details"][0]["message"]


@pytest.mark.parametrize(
    "address", ["/ws/v1/nothing/", "/ws/v1/broadcasts/not-an-id/console/", "/ws/v2/runner/", "/"]
)
async def test_an_unknown_address_is_closed_4404(address: str) -> None:
    communicator = WebsocketCommunicator(application, address, subprotocols=["livestudio.v1"])
    connected, subprotocol = await communicator.connect(5)

    assert (connected, subprotocol) == (True, "livestudio.v1")
    assert await Socket(communicator).close_code() == 4404
