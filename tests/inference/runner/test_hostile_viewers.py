"""Viewers who want to bring a show down: it goes on, and others find a place."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from inference.runner import signalling, viewer
from inference.runner.offers import VIEWER_MAX_CANDIDATES
from tests.inference.runner.viewer_peer import Peer, eventually, on_air

pytestmark = pytest.mark.live
DIRECTION = r"^a=(sendrecv|sendonly|recvonly|inactive)"
NAME = "-0000-4000-8000-000000000000.local"


@pytest.fixture(autouse=True)
def host_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    # `Viewers` replaces it for its whole process; here the process goes on.
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)


async def make_offer() -> str:
    """An offer of somebody who will never connect."""
    peer = Peer()
    offer = await peer.offer()
    await peer.close()
    return offer


async def test_pictures_of_a_viewer_are_not_taken() -> None:
    """They would be decoded in the process of the show, and kept until there is no memory."""
    sender = RTCPeerConnection()
    for track in (VideoStreamTrack(), AudioStreamTrack(), VideoStreamTrack(), AudioStreamTrack()):
        sender.addTrack(track)
    await sender.setLocalDescription(await sender.createOffer())

    async with on_air() as stage:
        answer = await stage.ask("a", sender.localDescription.sdp)
        joined = stage.viewers._viewers["a"]
        directions = re.findall(
            r"^a=(sendrecv|sendonly|recvonly|inactive)", answer.data["sdp"], re.M
        )
        receivers = joined._connection.getReceivers()
        await sender.close()

    assert sorted(directions) == ["inactive", "inactive", "sendonly", "sendonly"]
    assert not any(receiver._RTCRtpReceiver__started for receiver in receivers)


async def test_names_that_nobody_knows_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def never(self: Any, hostname: str, timeout: float | None = None) -> None:  # noqa: ASYNC109
        asked.append(hostname)
        await asyncio.Event().wait()

    monkeypatch.setattr(aioice.mdns.MDnsProtocol, "resolve", never)
    offer = await make_offer()
    names = "".join(
        f"a=candidate:{n} 1 udp 2122260223 {n:08x}{NAME} 5000 typ host\r\n" for n in range(50)
    )
    offer = offer.replace("a=end-of-candidates\r\n", "").replace("m=audio", f"{names}m=audio", 1)

    async with on_air() as stage:
        assert (await stage.ask("hidden", offer)).kind == "answer"
        peer = await stage.join("other")
        await eventually(lambda: peer.pictures, "others see")

    assert len(asked) <= 1  # one after the other, beside the show


async def test_one_address_does_not_take_every_place() -> None:
    offer = await make_offer()
    async with on_air(limit=signalling.OF_ONE_SOURCE + 2) as stage:
        for number in range(signalling.OF_ONE_SOURCE + 4):
            answer = await stage.ask(f"ghost-{number}", offer, "attacker")
            is_let_in = number < signalling.OF_ONE_SOURCE
            assert answer.kind == ("answer" if is_let_in else "error"), number
            if not is_let_in:
                assert answer.data["code"] == "viewer_limit"
                assert answer.data["retry_after_seconds"] > 0

        peer = await stage.join("honest")
        await eventually(lambda: peer.pictures, "another viewer sees")


async def test_joins_that_are_cut_short_leave_no_place_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewer, "CONNECT_SECONDS", 0.5)
    offer = await make_offer()
    async with on_air(limit=2) as stage:
        for _ in range(30):
            await stage.offer("restless", offer)
            await asyncio.sleep(0)
        for number in range(20):
            await stage.offer(f"gone-{number}", offer)
            await stage.tell(f"gone-{number}", "bye")
        await eventually(lambda: not stage.viewers._joins, "everybody was answered")
        await eventually(lambda: len(stage.viewers) == 0, "no place is taken")
        assert not stage.viewers._sources

        monkeypatch.undo()  # who comes now has the time that a busy machine takes
        peer = await stage.join("honest")
        await eventually(lambda: peer.pictures, "another viewer sees")


async def test_offer_without_bounds_is_refused() -> None:
    offer = await make_offer()
    section = offer[offer.index("m=audio") :]
    async with on_air() as stage:
        for more in (section * 8, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"):
            answer = await stage.ask("a", offer + more)
            assert (answer.kind, answer.data["code"]) == ("error", "bad_offer")
        assert len(stage.viewers) == 0


async def test_candidates_of_a_viewer_have_an_end() -> None:
    text = "candidate:1 1 udp 2122260223 192.0.2.{} {} typ host"
    async with on_air() as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        for number in range(VIEWER_MAX_CANDIDATES + 50):
            candidate = text.format(number % 250, 5000 + number)
            await stage.tell("a", "candidate", {"candidate": candidate, "sdpMid": "0"})
        refused = [s for s in stage.signals if s.kind == "error"]
        before = len(peer.pictures)
        await eventually(lambda: len(peer.pictures) > before + 10, "the viewer goes on")

    assert len(refused) == 50
    assert {signal.data["code"] for signal in refused} == {"bad_candidate"}
