"""The link keeps its promises while sockets break under it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.protocol import (
    Command,
    Heartbeat,
    Json,
    Live,
    Metrics,
    Result,
    RunnerSpec,
    Signal,
    Thumbnail,
    WatchThumbnail,
    Welcome,
)
from inference.runner import link as link_module
from inference.runner.journal import CommandJournal
from inference.runner.link import (
    CommandRefused,
    LinkHandlers,
    LinkUnreachableError,
    RunnerLink,
    StaleRunnerError,
)
from inference.runner.outbox import Outbox
from tests.inference.runner.peer import BROADCAST, WebPeer, make_spec, web_peer
from tests.inference.runner.viewer_peer import eventually

CURSOR = {"cue": "a", "sentence": 1, "loop": 0}


class Session:
    """What a runner's session does, written down."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.signals: list[Signal] = []
        self.looks: list[float] = []
        self.specs: list[RunnerSpec] = []
        self.stale: list[str] = []
        self.link: RunnerLink | None = None

    async def on_command(self, command: Command) -> Json | None:
        self.executed.append(command.id)
        if command.name == "refuse":
            raise CommandRefused("script_finished", "The script has ended.")
        if command.name == "break":
            raise RuntimeError("boom")
        return {"generation": len(self.executed)}

    async def on_signal(self, signal: Signal) -> None:
        self.signals.append(signal)
        assert self.link is not None
        self.link.send_signal(Signal(signal.viewer, signal.id, "answer", {"sdp": "v=0"}))

    def handlers(self) -> LinkHandlers:
        return LinkHandlers(
            on_command=self.on_command,
            on_signal=self.on_signal,
            on_stale=self.stale.append,
            on_spec=lambda spec: self.specs.append(spec),
            on_thumbnail_wanted=self.looks.append,
            metrics=lambda: {"fps": 25},
            workers=lambda: ({"kind": "face", "pid": 7},),
        )


@asynccontextmanager
async def running_link(
    peer: WebPeer, folder: Path, session: Session
) -> AsyncIterator[tuple[RunnerLink, asyncio.Task[None]]]:
    outbox, journal = Outbox(folder), CommandJournal(folder)
    link = RunnerLink(peer.url, BROADCAST, 1, "first-token", outbox, journal=journal)
    session.link = link
    await link.connect_first(give_up_seconds=60)
    task = asyncio.create_task(link.run(session.handlers()))
    try:
        yield link, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        outbox.close()


@pytest.fixture
async def peer() -> AsyncIterator[WebPeer]:
    async with web_peer() as web_side:
        yield web_side


async def test_first_connection_brings_the_spec(peer: WebPeer, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    link = RunnerLink(
        peer.url, BROADCAST, 1, "first-token", outbox, journal=CommandJournal(tmp_path)
    )

    spec = await link.connect_first()

    assert spec.broadcast == BROADCAST
    assert (peer.hellos[0].broadcast, peer.hellos[0].lease_epoch) == (BROADCAST, 1)
    assert link.is_connected
    await link.close()
    outbox.close()


async def test_events_arrive_once_and_in_order_while_the_socket_keeps_breaking(
    peer: WebPeer, tmp_path: Path
) -> None:
    async with running_link(peer, tmp_path, Session()) as (link, _):
        for number in range(600):
            link.emit("cursor", {**CURSOR, "sentence": number})
            if number % 150 == 149:
                await peer.until(lambda: len(peer.stored) > 0)
                await peer.drop()
                await peer.until(lambda dials=peer.dials: peer.dials > dials)

        assert await link.drain(60)

    assert [event.sequence for event in peer.stored] == list(range(1, 601))
    assert [event.data["sentence"] for event in peer.stored] == list(range(600))
    assert peer.dials >= 5


async def test_reconnect_uses_the_renewed_token(peer: WebPeer, tmp_path: Path) -> None:
    async with running_link(peer, tmp_path, Session()):
        await peer.until(lambda: peer.socket is not None)
        await peer.drop()
        await peer.until(lambda: peer.dials == 2 and peer.socket is not None)

    assert peer.tokens == ["first-token", "renewed"]


async def test_spec_is_renewed_by_each_new_dial_and_in_between(
    peer: WebPeer, tmp_path: Path
) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session):
        assert session.specs == []  # the first one is what the session was built from
        await peer.send(Welcome(make_spec(token="fresh"), 0))
        await eventually(lambda: session.specs, "the renewed spec")
        await peer.drop()
        await peer.until(lambda: peer.dials == 2)
        await eventually(lambda: len(session.specs) == 2, "the spec of the second dial")

    assert [spec.token for spec in session.specs] == ["fresh", "renewed"]
    assert peer.tokens == ["first-token", "fresh"]


async def test_spec_that_cannot_be_followed_costs_nothing_else(
    peer: WebPeer, tmp_path: Path
) -> None:
    session = Session()
    session.specs = None  # type: ignore[assignment]  # following it fails
    async with running_link(peer, tmp_path, session) as (link, task):
        await peer.drop()
        await peer.until(lambda: peer.dials == 2)
        link.emit("cursor", CURSOR)

        assert await link.drain(60)
        assert not task.done()


async def test_command_runs_once_however_often_it_is_sent(peer: WebPeer, tmp_path: Path) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session):
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 1)
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 2)
        await peer.drop()
        await peer.until(lambda: peer.socket is not None)
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 3)

    assert session.executed == ["c1"]
    assert set(map(repr, peer.of_type(Result))) == {
        repr(Result("c1", ok=True, data={"generation": 1}))
    }


async def test_replacement_runner_does_not_execute_again(peer: WebPeer, tmp_path: Path) -> None:
    first, second = Session(), Session()
    async with running_link(peer, tmp_path, first):
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 1)
    peer.socket = None

    async with running_link(peer, tmp_path, second):
        await peer.until(lambda: peer.socket is not None)
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 2)

    assert (first.executed, second.executed) == (["c1"], [])


async def test_refusal_and_fault_are_answers(
    peer: WebPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session):
        await peer.send(Command("c1", "refuse", {}))
        await peer.send(Command("c2", "break", {}))
        await peer.send(Command("c3", "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 3)

    refused, broken, fine = peer.of_type(Result)
    assert refused.error == {"code": "script_finished", "message": "The script has ended."}
    assert broken.error["code"] == "internal_error"
    assert "boom" not in broken.error["message"]
    assert fine.ok


async def test_signal_is_answered_with_its_correlation_id(peer: WebPeer, tmp_path: Path) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session):
        await peer.send(Signal("v1", "s9", "offer", {"sdp": "v=0"}))
        await peer.until(lambda: bool(peer.of_type(Signal)))

    answer = peer.of_type(Signal)[0]
    assert (answer.viewer, answer.id, answer.kind) == ("v1", "s9", "answer")


async def test_metrics_are_newest_wins_and_rare(peer: WebPeer, tmp_path: Path) -> None:
    async with running_link(peer, tmp_path, Session()) as (link, _):
        await peer.until(lambda: bool(peer.of_type(Heartbeat)))
        for number in range(200):
            link.publish_metrics({"frames": number})
        await peer.until(lambda: any(m.metrics == {"frames": 199} for m in peer.of_type(Metrics)))

    assert len(peer.of_type(Metrics)) <= 3
    assert peer.of_type(Heartbeat)[0].workers == ({"kind": "face", "pid": 7},)


async def test_live_messages_drop_the_oldest_of_their_kind(peer: WebPeer, tmp_path: Path) -> None:
    async with running_link(peer, tmp_path, Session()) as (link, _):
        await peer.until(lambda: bool(peer.of_type(Heartbeat)))
        for number in range(50):
            link.publish_live("viseme", {"number": number})
        link.publish_live("caption", {"text": "hello"})
        await peer.until(lambda: len(peer.of_type(Live)) == 17)

    numbers = [live.data["number"] for live in peer.of_type(Live) if live.kind == "viseme"]
    assert numbers == list(range(34, 50))
    assert link.dropped["live"] == 34


async def test_thumbnail_goes_out_when_small_enough(peer: WebPeer, tmp_path: Path) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session) as (link, _):
        await peer.until(lambda: peer.socket is not None)
        await peer.send(WatchThumbnail(10.0))
        link.publish_thumbnail(b"x" * 20_001)
        link.publish_thumbnail(b"\xff\xd8")
        await peer.until(lambda: bool(peer.of_type(Thumbnail)))

    assert [thumbnail.jpeg for thumbnail in peer.of_type(Thumbnail)] == ["/9g="]
    assert session.looks == [10.0]


@pytest.mark.parametrize("code", [4404, 4409])
async def test_stale_runner_stops(peer: WebPeer, tmp_path: Path, code: int) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session) as (_, task):
        await peer.until(lambda: peer.socket is not None)
        peer.close_code = code
        await peer.drop()
        async with asyncio.timeout(60):
            await task

    assert len(session.stale) == 1


async def test_token_refused_in_mid_show_is_dialled_again(peer: WebPeer, tmp_path: Path) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session) as (link, _):
        await peer.until(lambda: peer.socket is not None)
        peer.close_code = 4401
        await peer.drop()
        async with asyncio.timeout(60):
            while peer.dials < 3:
                await asyncio.sleep(0.01)
        peer.close_code = None
        async with asyncio.timeout(60):
            while not link.is_connected:
                await asyncio.sleep(0.01)

    assert session.stale == []


async def test_stale_at_the_first_dial_is_an_error(peer: WebPeer, tmp_path: Path) -> None:
    peer.close_code = 4409
    outbox = Outbox(tmp_path)
    link = RunnerLink(peer.url, BROADCAST, 1, "t", outbox, journal=CommandJournal(tmp_path))

    with pytest.raises(StaleRunnerError):
        await link.connect_first()
    outbox.close()


async def test_unreachable_web_side_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outbox = Outbox(tmp_path)
    link = RunnerLink(
        "http://127.0.0.1:9", BROADCAST, 1, "canary-token", outbox, journal=CommandJournal(tmp_path)
    )

    with pytest.raises(LinkUnreachableError):
        await link.connect_first(give_up_seconds=0.3)

    assert "canary-token" not in caplog.text
    assert "127.0.0.1" not in caplog.text
    outbox.close()


async def test_silent_web_side_is_left_and_dialled_again(
    peer: WebPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SILENCE_SECONDS", 0.2)
    peer.acknowledges = False
    async with running_link(peer, tmp_path, Session()):
        await peer.until(lambda: peer.dials >= 2)


async def test_unknown_message_is_ignored(
    peer: WebPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session):
        await peer.until(lambda: peer.socket is not None)
        socket: Any = peer.socket
        await socket.send_str('{"type": "from_the_future"}')
        await socket.send_str("not json")
        await peer.send(Command("c1", "pause", {}))
        await peer.until(lambda: bool(peer.of_type(Result)))

    assert session.executed == ["c1"]
    assert peer.dials == 1


@pytest.mark.parametrize("url", ["ftp://host", "127.0.0.1:8000", "http://"])
async def test_wrong_web_address_is_refused(tmp_path: Path, url: str) -> None:
    outbox = Outbox(tmp_path)
    with pytest.raises(ValueError, match="http"):
        RunnerLink(url, BROADCAST, 1, "t", outbox, journal=CommandJournal(tmp_path))
    outbox.close()


async def test_link_is_made_anew_after_a_fault_that_nobody_foresaw(
    peer: WebPeer, tmp_path: Path
) -> None:
    """The show goes on, whatever happens to its link."""
    session = Session()
    faults = [OverflowError("int too large to convert to float"), None]

    def measure() -> Json:
        fault = faults.pop() if faults else None
        if fault is not None:
            raise fault
        return {"fps": 25}

    outbox = Outbox(tmp_path)
    link = RunnerLink(
        peer.url, BROADCAST, 1, "first-token", outbox, journal=CommandJournal(tmp_path)
    )
    await link.connect_first(give_up_seconds=60)
    handlers = replace(session.handlers(), metrics=measure)
    task = asyncio.create_task(link.run(handlers))
    try:
        await eventually(lambda: task.done() or len(peer.hellos) == 2, "it dials again")
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        outbox.close()


async def test_commands_are_executed_while_the_disk_is_full(peer: WebPeer, tmp_path: Path) -> None:
    session = Session()
    async with running_link(peer, tmp_path, session) as (link, _):
        link._journal._appended = 1_000_000  # the journal is to be written anew
        (tmp_path / "commands.new").mkdir()  # and cannot be
        for name in ("one", "two"):
            await peer.send(Command(name, "pause", {}))
        await peer.until(lambda: len(peer.of_type(Result)) == 2)

    assert session.executed == ["one", "two"]
