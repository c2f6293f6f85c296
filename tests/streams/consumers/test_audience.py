"""The sockets of one broadcast hear through one channel, and none of them holds up another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import OperationalError

from accounts.models import Membership
from inference.protocol import Json
from livestudio.common.errors import DomainError
from streams.consumers import audience as audience_module
from streams.consumers.audience import audiences, join, leave
from streams.consumers.console import ConsoleConsumer
from streams.models import Broadcast
from streams.poke import broadcast_group, poke_consoles
from streams.socket_rights import Holder
from tests.factories import Cast
from tests.streams.consumers.peers import browser, in_database

NOBODY = Holder("watch", None, "")


class Ear:
    """A socket that only listens."""

    holder = NOBODY

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    def version_of(cls, kind: str, text: str) -> str | None:
        return text if kind == "caption" else None

    async def hear(self, text: str) -> None:
        await self.heard.put(text)

    async def send_away(self, error: DomainError) -> None:
        await self.heard.put(error.code)


class BrokenEar(Ear):
    """A socket that fails when it is written to."""

    async def hear(self, text: str) -> None:
        raise RuntimeError(text)


@asynccontextmanager
async def joined(broadcast_id: str, *ears: Ear) -> AsyncIterator[None]:
    for ear in ears:
        await join(broadcast_id, ear)
    try:
        yield
    finally:
        for ear in ears:
            await leave(broadcast_id, ear)


async def tell(broadcast_id: Any, kind: str, text: str) -> None:
    layer: Any = get_channel_layer()
    texts = [[kind, text]]
    await layer.group_send(
        broadcast_group(broadcast_id), {"type": "broadcast.told", "texts": texts}
    )


async def heard_by(ear: Ear) -> str:
    async with asyncio.timeout(60):
        return await ear.heard.get()


def groups_of(broadcast_id: Any) -> list[str]:
    """What this process has subscribed to for a broadcast."""
    layer: Any = get_channel_layer()
    return [name for name in layer.groups if f"broadcast.{broadcast_id}" in name]


def tasks() -> list[Any]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "audience"]


async def test_sockets_of_a_broadcast_share_a_channel_that_ends_with_the_last(
    live: Broadcast, cast: Cast
) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        async with browser(live, "watch", None) as page:
            await page.receive("state")
            assert [len(audience) for audience in audiences().values()] == [2]
            assert len(groups_of(live.pk)) == 1
        assert [len(audience) for audience in audiences().values()] == [1]

    assert (audiences(), groups_of(live.pk), tasks()) == ({}, [], [])


async def test_who_joins_while_the_last_one_leaves_hears() -> None:
    first, second = Ear(), Ear()
    await join("b", first)
    old = audiences()["b"]

    leaving = asyncio.create_task(leave("b", first))
    await asyncio.sleep(0)
    assert not leaving.done()
    async with joined("b", second):
        await leaving
        assert audiences()["b"] is not old
        await tell("b", "caption", "hello")
        assert await heard_by(second) == "hello"
    assert audiences() == {}


async def test_each_hears_all_in_order_whichever_other_fails() -> None:
    ears = [Ear(), BrokenEar(), Ear()]
    async with joined("b", *ears):
        for number in range(20):
            await tell("b", "caption", str(number))
            await tell("b", "cursor", "not for these")
        heard = [[await heard_by(ear) for _ in range(20)] for ear in (ears[0], ears[2])]

    assert heard == [[str(number) for number in range(20)]] * 2


def test_each_event_loop_has_an_audience_of_its_own() -> None:
    """One that ended without a word, its sockets open, is no matter to the next."""

    async def hear(*, leaves: bool) -> str:
        ear = Ear()
        await join("b", ear)
        await tell("b", "caption", "hello")
        heard = await heard_by(ear)
        if leaves:
            await leave("b", ear)
        return heard

    assert asyncio.run(hear(leaves=False)) == "hello"
    assert asyncio.run(hear(leaves=True)) == "hello"


async def test_socket_whose_audience_could_not_subscribe_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer: Any = get_channel_layer()
    ear = Ear()

    async def fail(*args: Any) -> None:
        raise ConnectionError("the broker is away")

    with monkeypatch.context() as away:
        away.setattr(layer, "group_add", fail, raising=False)
        with pytest.raises(ConnectionError):
            await join("b", ear)
    await leave("b", ear)
    assert (audiences(), tasks()) == ({}, [])

    async with joined("b", ear):
        await tell("b", "caption", "hello")
        assert await heard_by(ear) == "hello"


class Held:
    """A function of the rows that stands still until it is let go."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.function = function

    def __call__(self, *args: Any) -> Any:
        self.began.set()
        assert self.go.wait(60)
        return self.function(*args)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.began.wait, 60)


async def test_what_is_told_while_a_console_is_greeted_comes_after_the_welcome(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    welcome = Held(ConsoleConsumer._welcome)
    monkeypatch.setattr(ConsoleConsumer, "_welcome", lambda self: welcome(self))
    async with browser(live, "console", cast.bob) as console:
        await welcome.wait()
        await tell(live.pk, "cursor", '{"type": "cursor", "sentence": 7}')
        await _until_all_is_told(live)
        welcome.go.set()
        heard = [await console.receive() for _ in range(2)]

    assert [message["type"] for message in heard] == ["welcome", "cursor"]


async def test_what_is_told_during_a_replay_comes_after_its_result(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Held(ConsoleConsumer._events_after)
    monkeypatch.setattr(ConsoleConsumer, "_events_after", lambda self, after: replay(self, after))
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        await console.send({"type": "replay", "after_sequence": 0, "id": "r"})
        await replay.wait()
        await tell(live.pk, "event", '{"type": "event", "sequence": 1}')
        await _until_all_is_told(live)
        replay.go.set()
        heard = [await console.receive() for _ in range(2)]

    assert [message["type"] for message in heard] == ["result", "event"]


async def _until_all_is_told(broadcast: Broadcast) -> None:
    """A listener that joined last has heard what was told last."""
    ear = Ear()
    async with joined(str(broadcast.pk), ear):
        await tell(broadcast.pk, "caption", '{"type": "caption"}')
        await heard_by(ear)


async def test_change_of_a_row_is_read_once_for_all(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []

    def read(*args: Any) -> Any:
        reads.append(args)
        return changes(*args)

    changes = audience_module._changes
    monkeypatch.setattr(audience_module, "_changes", read)
    async with (
        browser(live, "console", cast.bob) as console,
        browser(live, "console", cast.alice) as other,
        browser(live, "watch", None) as page,
    ):
        for socket, kind in ((console, "welcome"), (other, "welcome"), (page, "state")):
            await socket.receive(kind)
        await Broadcast.objects.filter(pk=live.pk).aupdate(state="recovering", reason="lost")
        await in_database(poke_consoles, live.pk)
        states = [await socket.receive("state") for socket in (console, other, page)]

    assert [state["state"] for state in states] == ["recovering"] * 3
    assert [state["script"] is None for state in states] == [False, False, True]
    assert len(reads) == 1


async def test_failing_database_closes_nothing_and_is_asked_again(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(*args: Any) -> Json:
        failed.set()
        raise OperationalError("the database is away")

    monkeypatch.setattr(audience_module, "RECHECK_SECONDS", 0.05)
    monkeypatch.setattr(audience_module, "PAUSE_SECONDS", 0.05)
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        with monkeypatch.context() as away:
            away.setattr(audience_module, "refusals", fail)
            failed.clear()
            assert await asyncio.to_thread(failed.wait, 60)
            await Membership.objects.filter(user=cast.bob).adelete()
            await tell(live.pk, "cursor", '{"type": "cursor"}')
            await console.receive("cursor")
        assert await console.close_code() == 4404
