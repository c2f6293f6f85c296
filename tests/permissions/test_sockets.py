"""Every message of every websocket from everybody: right role, wrong role, wrong broadcast."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.protocol import MESSAGES, Command, Hello, encode_message
from inference.tokens import make_run_token
from streams.models import (
    Broadcast,
    BroadcastEvent,
    BroadcastOutput,
    BroadcastState,
    ConnectionTicket,
    ControlCommand,
    Show,
)
from streams.services.tickets import create_ticket
from streams.socket_messages import CONSOLE_CLIENT, WATCH_CLIENT
from streams.verbs import VERBS
from tests.permissions.socket_table import COMMANDS, NAMES_A_ROW, RUNNER, WATCH, WEB_ONLY
from tests.permissions.world import ANONYMOUS, STRANGER, Asker, World, make_askers, make_worlds
from tests.streams.consumers.peers import ORIGIN, Socket, browser, in_database, runner_peer

TABLE = "tests/permissions/socket_table.py"
Worlds = tuple[World, World]


@pytest.fixture
def worlds(transactional_db: None) -> Worlds:
    """Committed: consumers look from another thread."""
    return make_worlds()


@pytest.fixture(autouse=True)
def _answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(command: ControlCommand) -> dict[str, Any]:
        return {"generation": 1}

    monkeypatch.setattr("streams.consumers.console.await_result", told)
    monkeypatch.setattr("streams.consumers.base.MESSAGES_BURST", 10_000.0)


def test_every_message_of_a_socket_has_a_row() -> None:
    assert set(COMMANDS) == set(VERBS), f"Write each verb into COMMANDS of {TABLE}."
    assert set(CONSOLE_CLIENT) == {"command", "replay"}, f"Ask the new message too, see {__file__}."
    assert set(WATCH) == set(WATCH_CLIENT), f"Write the new message into WATCH of {TABLE}."
    known = {*RUNNER, *WEB_ONLY, "hello"}
    assert known == set(MESSAGES), f"Write the new message into RUNNER or WEB_ONLY of {TABLE}."


async def test_console_opens_for_members_and_obeys_their_role(worlds: Worlds) -> None:
    world = worlds[0]
    wrong = []
    for asker in await in_database(make_askers, world):
        await _again_live(world)
        async with browser(world.broadcast, "console", asker.user) as console:
            if asker.role in (STRANGER, ANONYMOUS):
                code, allowed = await console.close_code(), _refusals(asker)
                wrong += [] if code in allowed else [f"{asker.name}: {code}, not {allowed}"]
                continue
            welcome = await console.receive("welcome")
            assert welcome["broadcast"]["id"] == str(world.broadcast.pk)
            wrong += await _wrong_results(console, asker, world)

    assert not wrong, "\n".join(wrong)


async def test_commands_reach_no_row_of_another_organization(worlds: Worlds) -> None:
    home, away = worlds
    before = await in_database(_rows_of, away)
    async with browser(home.broadcast, "console", home.cast.alice) as console:
        await console.receive("welcome")
        for name in NAMES_A_ROW:
            result = await _command(console, name, COMMANDS[name](away))
            assert not result["ok"], name
            assert result["error"]["code"] in ("invalid", "not_found"), (name, result)

    assert await in_database(_rows_of, away) == before


async def test_ticket_opens_its_own_socket_once_and_in_time(worlds: Worlds) -> None:
    home, away = worlds
    own = {"broadcast": home.broadcast, "purpose": "console", "user": home.cast.alice}
    at_home = await in_database(create_ticket, origin=ORIGIN, **own)
    async with browser(away.broadcast, "console", None, ticket=at_home) as console:
        assert await console.close_code() == 4401
    async with browser(home.broadcast, "console", None, ticket=at_home) as console:
        assert await console.close_code() == 4401  # spent by the try above

    late = await in_database(create_ticket, origin=ORIGIN, **own)
    past = timezone.now() - timedelta(seconds=1)
    await ConnectionTicket.objects.aupdate(expires_at=past)
    async with browser(home.broadcast, "console", None, ticket=late) as console:
        assert await console.close_code() == 4401


async def test_ticket_of_another_page_or_of_nobody_opens_nothing(worlds: Worlds) -> None:
    broadcast, alice = worlds[0].broadcast, worlds[0].cast.alice
    for origin in ("http://studio.test.evil.test", "null", "", "http://STUDIO.test"):
        async with browser(broadcast, "console", alice, origin=origin) as console:
            assert await console.close_code() == 4401, origin
    for forged in ("", "x" * 4000, "../../etc/passwd", "' OR 1=1 --", "0" * 43, "a.b"):
        async with browser(broadcast, "console", alice, ticket=forged) as console:
            assert await console.close_code() == 4401, forged


async def test_two_who_use_a_ticket_at_once_get_one_socket(worlds: Worlds) -> None:
    broadcast, alice = worlds[0].broadcast, worlds[0].cast.alice
    ticket = await in_database(
        create_ticket, broadcast=broadcast, purpose="console", user=alice, origin=ORIGIN
    )

    async def try_it() -> bool:
        async with browser(broadcast, "console", None, ticket=ticket) as console:
            output = await console.communicator.receive_output(60)
            return bool(output["type"] == "websocket.send")

    opened = await asyncio.gather(*(try_it() for _ in range(8)))

    assert opened.count(True) == 1


@pytest.mark.parametrize("visibility", ["private", "unlisted", "public"])
async def test_watch_opens_as_the_show_says(worlds: Worlds, visibility: str) -> None:
    world = worlds[0]
    await Show.objects.filter(pk=world.broadcast.show_id).aupdate(visibility=visibility)
    wrong = []
    for asker in await in_database(make_askers, world):
        is_private = visibility == "private" and asker.role in (STRANGER, ANONYMOUS)
        async with browser(world.broadcast, "watch", asker.user) as page:
            if is_private or asker.name == "deactivated owner":
                code = await page.close_code()
                wrong += [] if code in (4401, 4404) else [f"{asker.name}: {code}"]
                continue
            assert (await page.receive("state"))["state"] == "live"
            for kind, body in WATCH.items():
                await page.send({"type": kind, **body})
            await page.send({"type": "command", "id": "1", "name": "stop", "args": {}})
            assert (await page.receive("error"))["code"] == "invalid"

    assert not wrong, "\n".join(wrong)
    assert not await ControlCommand.objects.aexists()


@pytest.mark.parametrize("flaw", ["no hello", "other broadcast", "stale epoch", "forged", "none"])
async def test_runner_without_its_lease_says_nothing(worlds: Worlds, flaw: str) -> None:
    home, away = worlds
    await Broadcast.objects.filter(pk=home.broadcast.pk).aupdate(lease_epoch=2)
    command = await in_database(_pending, home)
    before = await in_database(_rows_of, home)
    tokens = {
        "no hello": make_run_token(str(home.broadcast.pk), 2),
        "other broadcast": make_run_token(str(away.broadcast.pk), 1),
        "stale epoch": make_run_token(str(home.broadcast.pk), 1),
        "forged": make_run_token(str(home.broadcast.pk), 2)[:-2] + "xx",
        "none": "",
    }
    async with runner_peer(home.broadcast, epoch=2, token=tokens[flaw]) as runner:
        if flaw != "no hello":
            epoch = 1 if flaw == "stale epoch" else 2
            await runner.tell(Hello(str(home.broadcast.pk), epoch, 1, 4711))
        for kind, body in RUNNER.items():
            own = {"id": str(command.pk), **body} if kind == "result" else body
            await runner.send({"type": kind, **own})
        if flaw != "no hello":
            assert await runner.close_code() in (4401, 4409)
        else:
            assert await runner.communicator.receive_nothing(0.2)

    assert await in_database(_rows_of, home) == before


async def test_runner_answers_no_command_and_no_viewer_of_another(worlds: Worlds) -> None:
    home, away = worlds
    await Broadcast.objects.aupdate(lease_epoch=1)
    theirs = await in_database(_pending, away)
    async with (
        browser(away.broadcast, "watch", away.cast.alice) as page,
        runner_peer(home.broadcast, epoch=1) as runner,
    ):
        await page.receive("state")
        await runner.hello()
        await runner.send({"type": "result", "id": str(theirs.pk), "ok": True, "data": {}})
        for viewer in ("0" * 32, "x" * 500, "", "a b", "\N{RIGHT-TO-LEFT OVERRIDE}", "*"):
            await runner.send({"type": "signal", **RUNNER["signal"], "viewer": viewer})
        for kind in WEB_ONLY:
            await runner.send({"type": kind})
            await runner.send({"type": kind, **encode_message(Command("1", "stop", {}))})
        assert await runner.emit(runner.event("output_state", output="x", state="live")) > 0
        assert await page.communicator.receive_nothing(0.1)

    await theirs.arefresh_from_db()
    assert theirs.result is None


def _refusals(asker: Asker) -> tuple[int, ...]:
    if asker.role == STRANGER:
        return (4404,)
    return (4401,) if asker.user is not None else (4403,)


async def _wrong_results(console: Socket, asker: Asker, world: World) -> list[str]:
    wrong = []
    for name, args in COMMANDS.items():
        result = await _command(console, name, args(world))
        is_forbidden = not result["ok"] and result["error"]["code"] == "forbidden"
        if is_forbidden == asker.may(VERBS[name].permission):
            wrong.append(f"{name} by {asker.name}: {result}")
        elif not result["ok"] and result["error"]["code"] == "internal_error":
            wrong.append(f"{name} by {asker.name} failed: {result}")
    return wrong


async def _command(console: Socket, name: str, args: Any) -> dict[str, Any]:
    await console.send({"type": "command", "id": "", "name": name, "args": args})
    return await console.receive("result")


async def _again_live(world: World) -> None:
    rows = Broadcast.objects.filter(pk=world.broadcast.pk)
    await rows.aupdate(state=BroadcastState.LIVE, desired_state="running")


def _pending(world: World) -> ControlCommand:
    deadline = timezone.now() + timedelta(minutes=1)
    row: ControlCommand = ControlCommand.objects.create(
        broadcast=world.broadcast, name="skip", deadline=deadline
    )
    return row


def _rows_of(world: World) -> list[Any]:
    """Everything that a message could change of a broadcast."""
    key = world.broadcast.pk
    rows: list[Any] = list(Broadcast.objects.filter(pk=key).values_list())
    for model in (BroadcastOutput, BroadcastEvent, ControlCommand):
        rows += list(model.objects.filter(broadcast=key).order_by("pk").values_list())
    return rows
