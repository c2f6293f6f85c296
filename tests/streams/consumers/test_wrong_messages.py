"""Every message and command with every field wrong: refused in words, and the other side lives on.

The tables are the product's own lists, so a new message or command is asked without being written
down here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from inference.json_form import Json
from inference.protocol import COMMANDS as RUNNER_COMMANDS
from inference.protocol import MESSAGES, ProtocolError, decode_command, decode_message
from streams.models import Broadcast, ControlCommand, Utterance
from streams.verbs import VERBS
from tests.permissions.socket_table import COMMANDS, RUNNER, WATCH
from tests.permissions.world import World, make_worlds
from tests.streams.consumers.peers import browser, in_database, runner_peer

WRONG: Final[tuple[Any, ...]] = (
    None, [], {}, ["x"], {"x": 1}, "", "x" * 5000, "a\x00b", "\ud800", True, -1, 2.5, 10**30,
)  # fmt: skip


@pytest.fixture
def world(transactional_db: None) -> World:
    """Committed: consumers look from another thread."""
    return make_worlds()[0]


@pytest.fixture(autouse=True)
def _answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(command: ControlCommand) -> dict[str, Any]:
        return {"generation": 1}

    monkeypatch.setattr("streams.consumers.console.await_result", told)
    monkeypatch.setattr("streams.consumers.base.MESSAGES_BURST", 10_000.0)


def spoilt(right: Json, names: Iterator[str] | list[str]) -> Iterator[Json]:
    """`right` with each field wrong in every way, and without it."""
    for name in names:
        yield {key: value for key, value in right.items() if key != name}
        yield from ({**right, name: value} for value in WRONG)


@pytest.mark.parametrize("name", list(VERBS))
async def test_console_answers_every_command_with_a_wrong_field(world: World, name: str) -> None:
    right = COMMANDS[name](world)
    fields = list(VERBS[name].body().fields)
    wrong = []
    async with browser(world.broadcast, "console", world.cast.alice) as console:
        await console.receive("welcome")
        for args in [*spoilt(right, fields), *WRONG]:
            await in_database(forget_orders, world.broadcast)
            await console.send({"type": "command", "id": "1", "name": name, "args": args})
            result = await console.receive("result")
            told = result["ok"] or (result["error"]["code"], bool(result["error"]["message"]))
            orders = await in_database(forget_orders, world.broadcast)
            if told is not True and (told[0] not in REFUSED or not told[1] or orders):
                wrong.append(f"{args!r:.80}: {result['error']}, {orders} orders")

    assert not wrong, "\n".join(wrong)


# What a wrong value may be told as; never `server_error`.
REFUSED: Final = ("invalid", "not_found", "conflict", "not_live", "forbidden")


def forget_orders(broadcast: Broadcast) -> int:
    """How many orders and lines there were; none are left."""
    orders = ControlCommand.objects.filter(broadcast=broadcast)
    lines = Utterance.objects.filter(broadcast=broadcast, source="operator")
    count = orders.count() + lines.count()
    orders.delete()
    lines.delete()
    return count


@pytest.mark.parametrize("name", list(RUNNER))
async def test_web_outlives_every_message_of_a_runner_with_a_wrong_field(
    world: World, name: str
) -> None:
    broadcast = world.broadcast
    async with runner_peer(broadcast) as runner:
        await runner.hello()
        for message in spoilt(RUNNER[name], list(MESSAGES[name].__dataclass_fields__)):
            await runner.send({"type": name, **message})
        await runner.send({"type": "heartbeat", **RUNNER["heartbeat"]})

        assert await runner.receive("heartbeat_acknowledged")


@pytest.mark.parametrize("name", list(WATCH))
async def test_web_outlives_every_message_of_a_viewer_with_a_wrong_field(
    world: World, name: str
) -> None:
    async with browser(world.broadcast, "watch", world.cast.alice) as page:
        for message in spoilt(WATCH[name], list(WATCH[name])):
            await page.send({"type": name, **message})
        await page.communicator.send_to(text_data="{")
        heard = []
        while not heard or "JSON" not in heard[-1]["message"]:
            heard.append(await page.receive("error"))

    assert all(error["code"] and error["message"] for error in heard)


@pytest.mark.parametrize("name", list(MESSAGES))
def test_runner_reads_every_message_or_refuses_it_in_words(name: str) -> None:
    for message in [*spoilt({}, list(MESSAGES[name].__dataclass_fields__)), {"more": 1}]:
        read_or_refuse(decode_message, {"type": name, **message})


@pytest.mark.parametrize("name", list(RUNNER_COMMANDS))
def test_runner_reads_every_command_or_refuses_it_in_words(name: str) -> None:
    fields = list(RUNNER_COMMANDS[name].__dataclass_fields__)
    for args in [*spoilt({}, fields), *WRONG]:
        read_or_refuse(decode_command, name, args)


def read_or_refuse(decode: Any, *arguments: Any) -> None:
    refusal = "…"
    try:
        decode(*arguments)
    except ProtocolError as error:
        refusal = str(error)
    assert refusal, arguments
