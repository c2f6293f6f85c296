"""Joins of viewers are answered one at a time, in bounds, with credentials that are still good."""

from __future__ import annotations

import asyncio

import aioice.ice
import pytest

from inference.protocol import IceSpec, Json
from inference.runner import signalling
from inference.runner.signalling import MAX_JOINS
from inference.runner.viewer import Viewer
from tests.inference.runner.viewer_peer import Peer, Stage, eventually, on_air
from tests.services import TurnServer

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def host_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    # `Viewers` replaces it for its whole process; here the process goes on.
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)


@pytest.fixture(autouse=True)
def patient_askers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine too each join is answered in time."""
    monkeypatch.setattr(signalling, "SIGNAL_DEADLINE_SECONDS", 600.0)


async def test_join_beyond_the_queue_is_refused_and_those_before_it_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signalling, "HANDSHAKE_SECONDS", 0.01)  # these peers never connect
    peers = [Peer() for _ in range(MAX_JOINS + 1)]
    async with on_air(limit=MAX_JOINS + 1) as stage:
        async with stage.viewers._joining:  # a join that takes its time
            for number, peer in enumerate(peers[:MAX_JOINS]):
                await stage.offer(f"v{number}", await peer.offer())
            refused = await stage.ask("late", await peers[-1].offer())

        assert (refused.kind, refused.data["code"]) == ("error", "viewer_limit")
        assert refused.data["retry_after_seconds"] > 0
        await eventually(lambda: len(_answered(stage)) == MAX_JOINS, "all others join")
        assert _answered(stage) == [f"v{number}" for number in range(MAX_JOINS)]
        await asyncio.gather(*(peer.close() for peer in peers))


def _answered(stage: Stage) -> list[str]:
    """Who joined, in order."""
    return [signal.viewer for signal in stage.signals if signal.kind == "answer"]


async def test_viewer_who_says_bye_before_its_turn_takes_no_place_and_gets_no_answer() -> None:
    gone, other = Peer(), Peer()
    async with on_air(limit=1) as stage:
        async with stage.viewers._joining:
            await stage.offer("gone", await gone.offer())
            await stage.offer("other", await other.offer())
            await stage.tell("gone", "bye")
            await eventually(lambda: "gone" not in stage.viewers._joins, "the join is called off")

        await eventually(lambda: stage.signals, "the other's answer")
        assert [(signal.viewer, signal.kind) for signal in stage.signals] == [("other", "answer")]
        assert len(stage.viewers) == 1
        await asyncio.gather(gone.close(), other.close())


async def test_offer_whose_asker_has_given_up_is_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, other = Peer(), Peer()
    async with on_air() as stage:
        with monkeypatch.context() as patient:
            patient.setattr(signalling, "SIGNAL_DEADLINE_SECONDS", 0.0)
            await stage.offer("late", await late.offer())
            await eventually(lambda: not stage.viewers._joins, "the late join is over")
        await stage.ask("other", await other.offer())

        assert [signal.viewer for signal in stage.signals] == ["other"]
        assert len(stage.viewers) == 1
        await asyncio.gather(late.close(), other.close())


async def test_viewer_who_joins_after_the_credentials_were_renewed_gets_a_relay(
    turn_server: TurnServer,
) -> None:
    def ice(ttl_seconds: int) -> IceSpec:
        username, credential = turn_server.credentials(ttl_seconds=ttl_seconds)
        server: Json = {"urls": [turn_server.url], "username": username, "credential": credential}
        return IceSpec(servers=(server,), host_addresses=("127.0.0.1",))

    peers = Peer(), Peer()
    async with on_air(ice(-60)) as stage:
        expired = await stage.ask("a", await peers[0].offer())
        stage.viewers.renew_servers(ice(600))
        renewed = await stage.ask("b", await peers[1].offer())
        await asyncio.gather(*(peer.close() for peer in peers))

    assert "typ relay" not in expired.data["sdp"]
    assert "typ relay" in renewed.data["sdp"]


async def test_new_offers_cut_no_goodbye_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A goodbye that is cut short leaves sockets open, and the small picture encoded for nobody."""
    closed: list[str] = []
    may_close = asyncio.Event()
    close = Viewer.close

    async def close_slowly(viewer: Viewer) -> None:
        await may_close.wait()
        await close(viewer)
        closed.append(viewer.id)

    async with on_air() as stage:
        await stage.join("v")
        with monkeypatch.context() as patch:
            patch.setattr(Viewer, "close", close_slowly)
            stage.viewers._ladders["v"].fall()
            stage.core.acquire_rendition("low")
            first, second = Peer(), Peer()
            await stage.offer("v", await first.offer())
            await eventually(lambda: "v" not in stage.viewers._viewers, "the goodbye begins")

            answer = asyncio.create_task(stage.ask("v", await second.offer()))
            await asyncio.sleep(0)
            may_close.set()
            assert (await answer).kind == "answer"

        assert closed == ["v"]
        assert stage.core._low_users == 0
        await asyncio.gather(first.close(), second.close())
