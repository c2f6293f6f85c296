"""WebRTC viewers: the show's own packets reach real peers, and one viewer never hurts another."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCRtpSender, RTCRtpTransceiver, rtcdtlstransport, rtcrtpsender

from inference.media import encoder
from inference.protocol import IceSpec
from inference.runner import signalling
from inference.runner import viewer as viewer_module
from inference.runner.fanout import SubscriptionStats
from inference.runner.rungs import CLIMB_SECONDS, Ladder
from inference.runner.viewer import Health
from tests.inference.runner.passing_time import Time
from tests.inference.runner.viewer_peer import LOOPBACK, Peer, Stage, eventually, on_air


@pytest.fixture(autouse=True)
def host_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    # `Viewers` replaces it for its whole process; here the process goes on.
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)


@pytest.fixture(autouse=True)
def patient_askers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine too each join is answered in time."""
    monkeypatch.setattr(signalling, "SIGNAL_DEADLINE_SECONDS", 600.0)


@pytest.fixture
def one_long_gop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyframes come only when they are asked for."""
    monkeypatch.setattr(encoder, "GOP_SECONDS", 600)


# --- health, without a network -------------------------------------------------------------------


@pytest.fixture
def health(time: Time) -> Health:
    """A viewer that has been watching for some seconds."""
    health = Health(time)
    time.now += 6
    return health


def test_loss_that_lasts_is_weak_and_one_burst_is_not(health: Health, time: Time) -> None:
    health.lost(0.2)
    time.now += 1
    assert not health.is_weak
    health.lost(0.04)
    time.now += 5
    assert not health.is_weak

    health.lost(0.06)
    time.now += 3
    assert health.is_weak


def test_low_estimate_is_weak_after_three_seconds(health: Health, time: Time) -> None:
    health.estimated(500, 600)
    time.now += 2.9
    assert not health.is_weak
    time.now += 0.2
    assert health.is_weak
    health.estimated(700, 600)
    assert not health.is_weak


def test_three_lost_pictures_in_ten_seconds_are_weak(health: Health, time: Time) -> None:
    for _ in range(3):
        health.picture_lost()
        time.now += 3.3
    assert health.is_weak
    time.now += 1
    assert not health.is_weak


def test_nobody_is_weak_while_the_browser_feels_its_way_up(health: Health, time: Time) -> None:
    health.reset()
    for _ in range(3):
        health.picture_lost()
    health.lost(0.5)
    time.now += 4
    assert not health.is_weak


# --- the places of aiortc that we use ------------------------------------------------------------


def test_aiortc_still_has_the_private_places_we_use() -> None:
    report = inspect.getsource(rtcrtpsender.RTCRtpSender._handle_rtcp_packet)
    assert "self._send_keyframe()" in report
    route = inspect.getsource(rtcdtlstransport.RTCDtlsTransport._handle_rtcp_data)
    assert "_handle_rtcp_packet(packet)" in route
    assert "self._ssrc = " in inspect.getsource(RTCRtpSender.__init__)
    assert "self._codecs" in inspect.getsource(RTCRtpTransceiver.__init__)
    assert callable(aioice.ice.get_host_addresses)


# --- real peers ----------------------------------------------------------------------------------


@pytest.mark.live
@pytest.mark.usefixtures("one_long_gop")
async def test_joining_viewer_gets_a_keyframe_and_decodes_every_picture() -> None:
    async with on_air() as stage:
        first = await stage.join("a")
        await eventually(lambda: len(first.pictures) >= 25, "the first viewer sees pictures")
        second = await stage.join("b")
        await eventually(lambda: len(second.pictures) >= 25, "the second viewer sees pictures")
        await eventually(lambda: second.sounds >= 50, "and hears")

    times = [pts for pts, _ in second.pictures]
    assert times == sorted(set(times))
    assert {width for _, width in second.pictures} == {320}
    assert not stage.told("a", "error")
    assert not stage.told("b", "error")


@pytest.mark.live
@pytest.mark.usefixtures("one_long_gop")
async def test_lost_picture_is_answered_by_a_keyframe_but_not_by_many() -> None:
    async with on_air() as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        packets = stage.core.hub.subscribe("test", {"video:main"}, start_on_keyframe=False)
        for _ in range(40):
            await peer.ask_keyframe()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.7)
        seen = []
        while (packet := packets.take()) is not None:
            seen.append(packet)

    keyframes = [packet.pts for packet in seen if packet.is_keyframe]
    assert len(keyframes) >= 2
    gaps = [after - before for before, after in zip(keyframes, keyframes[1:], strict=False)]
    assert min(gaps) >= 24_000
    assert len(keyframes) <= 2 + (seen[-1].pts - seen[0].pts) // 24_000


@pytest.mark.live
async def test_viewer_limit_says_when_to_try_again_and_bye_frees_the_place() -> None:
    async with on_air(limit=1) as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")

        second, third = Peer(), Peer()
        refused = await stage.ask("b", await second.offer())
        assert refused.kind == "error"
        assert refused.data["code"] == "viewer_limit"
        assert refused.data["retry_after_seconds"] > 0
        assert len(stage.viewers) == 1

        await stage.tell("a", "bye")
        await eventually(lambda: len(stage.viewers) == 0, "the place is free")
        assert (await stage.ask("c", await third.offer())).kind == "answer"
        await asyncio.gather(second.close(), third.close())


@pytest.mark.live
async def test_viewer_that_vanishes_frees_its_place() -> None:
    async with on_air(limit=1) as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        await peer.close()
        await eventually(lambda: len(stage.viewers) == 0, "the place is free", seconds=60)

    assert [data["code"] for data in stage.told("a", "error")] == ["closed"]


@pytest.mark.live
async def test_viewer_who_leaves_as_the_show_ends_is_seen_out() -> None:
    async with on_air() as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        sender, *_ = stage.viewers._viewers["a"]._connection.getSenders()
        await stage.tell("a", "bye")
        while len(stage.viewers):
            await asyncio.sleep(0)

    assert sender.transport.transport.state == "closed"


@pytest.mark.live
async def test_offer_that_cannot_work_is_refused_in_words() -> None:
    peer = Peer()
    offer = await peer.offer()
    mode_0 = offer.replace("packetization-mode=1", "packetization-mode=0")
    async with on_air() as stage:
        cases = {
            "no_h264": [_without_h264(offer), mode_0],
            "bad_offer": ["v=0\r\nm=video H264/90000\r\n", "", "H264/90000"],
        }
        for code, offers in cases.items():
            for number, text in enumerate(offers):
                answer = await stage.ask(f"{code}-{number}", text)
                assert (answer.kind, answer.data["code"]) == ("error", code), text
                assert answer.data["message"].endswith(".")
        await eventually(lambda: len(stage.viewers) == 0, "no place is taken")
    await peer.close()


@pytest.mark.live
async def test_signals_that_make_no_sense_are_answered() -> None:
    async with on_air() as stage:
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        for candidate in ("nonsense", "candidate:1 1 udp x 127.0.0.1 9 typ host", "candidate:"):
            await stage.tell("a", "candidate", {"candidate": candidate, "sdpMid": "0"})
        await stage.tell("a", "candidate", {"candidate": ""})
        await stage.tell("nobody", "candidate", {"candidate": "nonsense"})
        await stage.tell("nobody", "dance")
        answers = [(s.viewer, s.data["code"]) for s in stage.signals if s.kind == "error"]
        before = len(peer.pictures)
        await eventually(lambda: len(peer.pictures) > before + 10, "the viewer goes on")

    assert answers == [("a", "bad_candidate")] * 3 + [("nobody", "unknown_viewer")] * 2


@pytest.fixture
def quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signalling, "CHECK_SECONDS", 0.05)


@pytest.mark.live
@pytest.mark.usefixtures("quick_checks")
async def test_weak_network_moves_down_to_sound_alone_and_up_again_when_it_is_well() -> None:
    async with on_air() as stage, _watched(stage.viewers):
        weak, other = await stage.join("weak"), await stage.join("other")
        await eventually(lambda: weak.pictures and other.pictures, "both see")
        time = _judged_by(stage, "weak")
        _judged_by(stage, "other")

        await _until_told(stage, "weak", "low", lambda: weak.report_loss(0.3), time)
        await eventually(lambda: "viewer weak video:low" in stage.core.hub.stats(), "360p is sent")
        before = len(weak.pictures)
        await eventually(lambda: len(weak.pictures) > before + 25, "360p is decoded")
        assert stage.core._low_encoder is not None

        await _until_told(stage, "weak", "sound", lambda: weak.report_loss(0.3), time)
        await eventually(
            lambda: not any("video" in name for name in _subscriptions(stage, "weak")),
            "no picture is sent any more",
        )
        assert stage.core._low_encoder is None
        sounds, pictures = weak.sounds, len(other.pictures)
        await eventually(lambda: weak.sounds > sounds + 50, "sound goes on")
        await eventually(lambda: len(other.pictures) > pictures + 25, "others keep the picture")

        for rung in ("low", stage.core.spec.id):
            weak.pictures.clear()
            time.now += CLIMB_SECONDS
            await eventually(lambda: len(weak.pictures) > 25, f"{rung} is decoded")
            assert _subscriptions(stage, "weak")[-1] == f"viewer weak video:{rung}"
        assert stage.core._low_encoder is None

    told = [data["rendition"] for data in stage.told("weak", "state")]
    assert told == ["low", "sound", "low", stage.core.spec.id]
    assert not stage.told("other", "state")


@pytest.mark.live
@pytest.mark.usefixtures("quick_checks")
async def test_low_estimate_moves_down_too() -> None:
    async with on_air() as stage, _watched(stage.viewers):
        peer = await stage.join("a")
        await eventually(lambda: peer.pictures, "a picture")
        time = _judged_by(stage, "a")

        await _until_told(stage, "a", "low", lambda: peer.report_estimate(5), time)


@pytest.mark.live
async def test_viewer_who_is_held_up_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def stats(name: str) -> SubscriptionStats:
        return stage.core.hub.stats()[f"viewer {name} video:main"]

    async with on_air() as stage:
        # Who is not held up may fall behind with the whole machine, without losing anything.
        monkeypatch.setattr(signalling, "VIEWER_SECONDS", 600.0)
        other = await stage.join("other")
        await eventually(lambda: other.pictures, "one sees")
        monkeypatch.setattr(signalling, "VIEWER_SECONDS", 0.5)
        stuck = await stage.join("stuck")
        await eventually(lambda: stuck.pictures, "both see")
        pacer = stage.viewers._viewers["stuck"]._pacer
        pacer.bytes_per_second, pacer._tokens = 1.0, 0.0

        before = len(other.pictures)
        await eventually(lambda: stats("stuck").overflows >= 3, "the stuck viewer loses pictures")
        behind, lost = stats("stuck").queued_seconds, stats("stuck").dropped
        await eventually(lambda: len(other.pictures) >= before + 40, "the other sees all of them")
        ahead = stats("other")

    assert behind <= 0.54
    assert lost > 25
    assert ahead.dropped == 0


@pytest.mark.live
async def test_candidates_keep_to_the_ports_and_the_public_address() -> None:
    ports = _free_range(6)
    ice = replace(LOOPBACK, udp_ports=(ports[0], ports[-1]), public_address="203.0.113.7")
    peer = Peer()
    async with on_air(ice) as stage:
        answer = await stage.ask("a", await peer.offer())
        candidates = re.findall(
            r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer.data["sdp"], re.MULTILINE
        )
        await peer.close()

    assert candidates
    assert {address for address, _ in candidates} == {"203.0.113.7"}
    assert all(int(port) in ports for _, port in candidates)


@pytest.mark.live
async def test_without_a_free_port_the_viewer_is_told() -> None:
    with contextlib.ExitStack() as sockets:
        taken = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ice = IceSpec(host_addresses=("127.0.0.1",), udp_ports=(port, port))
        async with on_air() as stage:
            peer = Peer()
            offer = await peer.offer()
            signalling.ice.use_ports(ice, asyncio.get_running_loop())
            answer = await stage.ask("a", offer)
            await peer.close()

    assert (answer.kind, answer.data["code"]) == ("error", "ice")
    assert "port" in answer.data["message"]


@contextlib.asynccontextmanager
async def _watched(viewers: signalling.Viewers) -> Any:
    task = asyncio.create_task(viewers.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _judged_by(stage: Stage, viewer: str) -> Time:
    """From now on the time by which this viewer's network is judged passes when a test says so.

    A machine that stands still makes real packets late and lost: they are not to decide.
    """
    time = Time()
    health = stage.viewers._viewers[viewer].health
    health._clock = time
    health.reset()
    stage.viewers._ladders[viewer] = Ladder(stage.viewers._ladders[viewer]._rungs, time)
    return time


async def _until_told(
    stage: Stage, viewer: str, rung: str, report: Callable[[], Awaitable[None]], time: Time
) -> None:
    """Report again and again, as if for three seconds each time, until the viewer moves down."""
    health = stage.viewers._viewers[viewer].health
    deadline = asyncio.get_running_loop().time() + 60
    while not any(data["rendition"] == rung for data in stage.told(viewer, "state")):
        assert asyncio.get_running_loop().time() < deadline, f"never moved to {rung}"
        await report()
        await asyncio.sleep(0.1)
        # Of one bad report alone nobody moves: what it says must have lasted.
        if health._lossy_since is not None or health._low_since is not None:
            time.now += viewer_module._WEAK_SECONDS


def _subscriptions(stage: Stage, viewer: str) -> list[str]:
    return [name for name in stage.core.hub.stats() if name.startswith(f"viewer {viewer} ")]


def _without_h264(offer: str) -> str:
    return "\r\n".join(line for line in offer.split("\r\n") if "H264" not in line)


def _free_range(count: int) -> list[int]:
    """UDP ports in a row that nobody uses at the moment."""
    for first in range(42_000, 60_000, count):
        with contextlib.ExitStack() as sockets, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probe = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind(("127.0.0.1", port))
            return list(range(first, first + count))
    raise AssertionError("no free ports")
