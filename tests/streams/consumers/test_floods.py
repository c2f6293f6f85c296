"""Pages that send without end: they are told to wait, then sent away; runners hear little of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from livestudio.common.places import Places
from streams.consumers import base as base_module
from streams.consumers import watch as watch_module
from streams.models import Broadcast
from streams.services.offers import VIEWER_MAX_CANDIDATES
from tests.factories import Cast
from tests.streams.consumers.peers import RunnerPeer, browser, runner_peer

CANDIDATE = {"type": "candidate", "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"}


@pytest.fixture
def one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "MESSAGES_BURST", 1.0)
    monkeypatch.setattr(base_module, "MESSAGES_PER_SECOND", 0.0)


async def heard(runner: RunnerPeer, kind: str) -> list[dict[str, Any]]:
    """Every signal of a kind that has reached the runner."""
    while not await runner.communicator.receive_nothing(0.2):
        runner.kept.append(await runner.receive())
    return [m for m in runner.kept if m["type"] == "signal" and m["kind"] == kind]


@pytest.mark.usefixtures("one_message")
async def test_console_that_sends_too_much_is_told_to_wait(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        for number in range(2):
            await console.send({"type": "replay", "after_sequence": 0, "id": str(number)})
        first, second = await console.receive("result"), await console.receive("result")

    assert first["ok"]
    assert (second["ok"], second["id"]) == (False, "1")  # a page waits for its answer
    assert second["error"]["code"] == "throttled"
    assert second["error"]["retry_after_seconds"] == 1


@pytest.mark.usefixtures("one_message")
async def test_viewer_that_sends_too_much_is_told_to_wait(live: Broadcast) -> None:
    async with browser(live, "watch", None) as viewer:
        for _ in range(2):
            await viewer.send({"type": "bye"})
        error = await viewer.receive("error")

    assert (error["code"], error["retry_after_seconds"]) == ("throttled", 1)


@pytest.mark.usefixtures("one_message")
@pytest.mark.parametrize("purpose", ["console", "watch"])
async def test_page_that_does_not_listen_is_sent_away(
    live: Broadcast, cast: Cast, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "REFUSED_IN_A_ROW", 10)
    async with browser(live, purpose, cast.bob) as page:
        await page.receive()
        for _ in range(13):
            await page.communicator.send_to(text_data="no JSON")
        assert await page.close_code() == 1008


async def test_offers_of_a_socket_are_few(live: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "OFFERS_BURST", 2.0)
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        for _ in range(10):
            await viewer.send({"type": "offer", "sdp": "v=0"})
        errors = [await viewer.receive("error") for _ in range(8)]
        offers = await heard(runner, "offer")

    assert {error["code"] for error in errors} == {"throttled"}
    assert all(error["retry_after_seconds"] == 5 for error in errors)
    assert len(offers) <= 2


@pytest.mark.parametrize(
    "sdp", ["v=0\n" + "m=audio 9 x 0\n" * 9, "v=0\n" + "a=candidate:1\n" * 101]
)
async def test_offer_without_bounds_does_not_reach_the_runner(live: Broadcast, sdp: str) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.send({"type": "offer", "sdp": sdp})
        error = await viewer.receive("error")
        assert await heard(runner, "offer") == []

    assert error["code"] == "invalid"
    assert "at most" in error["message"]


async def test_candidates_of_a_socket_have_an_end(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "MESSAGES_BURST", 1000.0)
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.send({"type": "offer", "sdp": "v=0"})
        await runner.receive("signal")
        for _ in range(VIEWER_MAX_CANDIDATES + 20):
            await viewer.send(CANDIDATE)
        candidates = await heard(runner, "candidate")

    assert len(candidates) == VIEWER_MAX_CANDIDATES


async def test_address_opens_so_many_sockets_and_gets_the_place_back(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = Places(each=1, total=5)
    monkeypatch.setattr(base_module, "SOCKETS", sockets)
    async with browser(live, "watch", None) as first:
        await first.receive("state")
        async with browser(live, "watch", None) as second:
            assert await second.close_code() == 1013
    assert len(sockets) == 0

    async with browser(live, "watch", None) as again:
        await again.receive("state")


async def test_socket_that_fails_gives_its_place_back(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the database each page that tries again would take a place for good."""

    def fail(*args: Any, **options: Any) -> Any:
        raise OperationalError("the database is away")

    sockets = Places(each=1, total=1)
    monkeypatch.setattr(base_module, "SOCKETS", sockets)
    with monkeypatch.context() as away:
        away.setattr(base_module, "consume_ticket", fail)
        with pytest.raises(OperationalError):
            async with browser(live, "watch", None) as page:
                await page.communicator.future
    assert len(sockets) == 0

    async with browser(live, "watch", None) as page:
        await page.receive("state")


async def test_network_has_the_places_of_one_address(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "SOCKETS", Places(each=1, total=5))
    async with browser(live, "watch", None, address="2001:db8::1") as first:
        await first.receive("state")
        async with browser(live, "watch", None, address="2001:db8::2") as second:
            assert await second.close_code() == 1013
        async with browser(live, "watch", None, address="2001:db8:0:1::1") as neighbour:
            await neighbour.receive("state")


BROKEN = (r'{"type": "offer", "sdp": "\ud800"}', r'{"type": "bye", "x": {"a": ["\udfff"]}}')


@pytest.mark.parametrize("text", [*BROKEN, '{"type": "offer", "sdp": NaN}'])
async def test_text_that_cannot_be_written_again_does_not_reach_the_runner(
    live: Broadcast, text: str
) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.communicator.send_to(text_data=text)
        error = await viewer.receive("error")
        assert await heard(runner, "offer") == []

    assert error["code"] == "invalid"


async def test_broken_text_leaves_the_console_open(live: Broadcast, cast: Cast) -> None:
    async with browser(live, "console", cast.bob) as console:
        await console.receive("welcome")
        broken = r'{"type": "replay", "after_sequence": 0, "id": "\ud800"}'
        whole = r'{"type": "replay", "after_sequence": 0, "id": "\ud83d\ude00"}'
        results = []
        for text in (broken, whole):
            await console.communicator.send_to(text_data=text)
            results.append(await console.receive("result"))

    assert [(result["ok"], result["id"]) for result in results] == [(False, ""), (True, "😀")]
    assert "half of a character" in results[0]["error"]["message"]
