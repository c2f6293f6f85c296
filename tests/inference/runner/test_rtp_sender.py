"""RTP as it leaves for a viewer: header by header, read back with aiortc's own parser."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCRtpSender, rtcdtlstransport, rtcrtpsender
from aiortc.codecs.h264 import h264_depayload
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unwrap_rtx

from inference.media.packets import EncodedPacket
from inference.media.tracks import PacketTrack
from inference.runner.rtp_sender import Packetizer, RtpSender

SSRC, RTX_SSRC = 0x11223344, 0x55667788
START_CODE = b"\0\0\0\1"
SETS = START_CODE + b"\x67set" + START_CODE + b"\x68set"
EXTENSIONS = HeaderExtensionsMap()
EXTENSIONS.configure(
    RTCRtpParameters(
        headerExtensions=[
            RTCRtpHeaderExtensionParameters(3, "urn:ietf:params:rtp-hdrext:sdes:mid"),
            RTCRtpHeaderExtensionParameters(
                5, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
            ),
        ]
    )
)


class Noted(list[bytes]):
    """A list that notes when something was appended."""

    def __init__(self, times: list[float], now: Callable[[], float]) -> None:
        super().__init__()
        self._times, self._now = times, now

    def append(self, data: bytes) -> None:
        self._times.append(self._now())
        super().append(data)


@dataclass
class Wire:
    """What would leave by the socket; encryption is aiortc's and left out here."""

    sent: list[bytes] = field(default_factory=list)
    state: str = "connected"

    def protect(self, data: bytes) -> bytes:
        return data

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        assert address == ("203.0.113.9", 4000)
        self.sent.append(data)

    @property
    def packets(self) -> list[Any]:
        return [RtpPacket.parse(data, EXTENSIONS) for data in self.sent]

    def dtls(self) -> Any:
        protocol = SimpleNamespace(transport=self)
        pair = SimpleNamespace(protocol=protocol, remote_addr=("203.0.113.9", 4000))
        ice = SimpleNamespace(_connection=SimpleNamespace(_nominated={1: pair}))
        return SimpleNamespace(transport=ice, state=self.state, _tx_srtp=self)


class Source:
    """Packets that are there already, and then the end."""

    def __init__(self, packets: list[EncodedPacket]) -> None:
        self._packets = deque(packets)

    def call_on(self, loop: asyncio.AbstractEventLoop, on_packets: Callable[[], None]) -> None:
        loop.call_soon(on_packets)

    def take(self) -> EncodedPacket:
        if not self._packets:
            raise EOFError
        return self._packets.popleft()

    def close(self) -> None: ...


def picture(frame: int, size: int, *, is_keyframe: bool = False) -> EncodedPacket:
    data = START_CODE + (b"\x65" if is_keyframe else b"\x41") + bytes(size)
    return EncodedPacket("video", frame * 1920, 1920, is_keyframe, data, "main")


def sound(pts: int) -> EncodedPacket:
    return EncodedPacket("opus", pts, 960, True, b"opus")


async def send(
    wire: Wire,
    packets: list[EncodedPacket],
    *,
    rtx: int | None = 97,
    spend: Callable[[int, int], float] = lambda size, more: 0.0,
    early: Callable[[int], float] | None = None,
) -> Any:
    """Run a sender over these packets until they end; the sender. Pictures are paced."""
    kind = "video" if packets[0].stream == "video" else "audio"
    track = PacketTrack(kind, lambda: (Source(packets), SETS))
    sender = RTCRtpSender(track, wire.dtls())
    sender._ssrc, sender._rtx_ssrc = SSRC, RTX_SSRC
    RtpSender(
        sender, Packetizer(), spend=spend if kind == "video" else None, early=early
    )  # fmt: skip
    private = "_RTCRtpSender__"
    setattr(sender, f"{private}rtp_header_extensions_map", EXTENSIONS)
    setattr(sender, f"{private}mid", "0")
    setattr(sender, f"{private}rtx_payload_type", rtx)
    rate = 90_000 if kind == "video" else 48_000
    await sender._run_rtp(SimpleNamespace(payloadType=96, clockRate=rate))
    assert getattr(sender, f"{private}rtp_exited").is_set()
    return sender


def test_aiortc_still_has_the_private_places_we_use() -> None:
    start = inspect.getsource(RTCRtpSender.send)
    assert "self._run_rtp(parameters.codecs[0])" in start
    report = inspect.getsource(RTCRtpSender._handle_rtcp_packet)
    assert "await self._retransmit(seq)" in report
    run = inspect.getsource(rtcrtpsender.RTCRtpSender._run_rtp)
    for name in ("rtp_started", "rtp_exited", "mid", "rtp_header_extensions_map",
                 "ntp_timestamp", "rtp_timestamp", "octet_count", "packet_count"):  # fmt: skip
        assert f"self.__{name}" in run
    assert "self.__rtx_payload_type" in inspect.getsource(RTCRtpSender._retransmit)
    encrypt = inspect.getsource(rtcdtlstransport.RTCDtlsTransport._send_rtp)
    assert "self._tx_srtp.protect(data)" in encrypt


async def test_picture_is_cut_numbered_and_marked_at_its_end() -> None:
    wire = Wire()

    await send(wire, [picture(0, 3000, is_keyframe=True), picture(1, 100)])

    packets = wire.packets
    first = packets[0].sequence_number
    assert [p.sequence_number - first for p in packets] == list(range(len(packets)))
    assert {p.ssrc for p in packets} == {SSRC}
    assert {p.payload_type for p in packets} == {96}
    ends = [index for index, p in enumerate(packets) if p.marker]
    assert ends == [len(packets) - 2, len(packets) - 1]
    assert packets[-1].timestamp - packets[0].timestamp == 3600
    assert {p.timestamp for p in packets[:-1]} == {packets[0].timestamp}
    assert {p.extensions.mid for p in packets} == {"0"}
    assert all(p.extensions.abs_send_time for p in packets)


async def test_keyframe_brings_its_parameter_sets() -> None:
    wire = Wire()

    await send(wire, [picture(0, 2000, is_keyframe=True)])

    data = b"".join(h264_depayload(packet.payload) for packet in wire.packets)
    assert data == SETS + START_CODE + b"\x65" + bytes(2000)


async def test_sound_keeps_its_own_clock_and_is_not_marked() -> None:
    wire = Wire()

    await send(wire, [sound(-120), sound(840)])

    assert [p.payload for p in wire.packets] == [b"opus", b"opus"]
    assert [p.marker for p in wire.packets] == [0, 0]
    assert (wire.packets[1].timestamp - wire.packets[0].timestamp) % (1 << 32) == 960


async def test_sound_that_was_mixed_early_leaves_as_late_as_the_sound_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire, loop = Wire(), asyncio.get_running_loop()
    now = 0.003  # the first packet is 3 ms late
    left: list[float] = []
    wire.sent = Noted(left, lambda: now)

    def pass_time(seconds: float, call: Callable[[], None]) -> asyncio.Handle:
        nonlocal now
        now += seconds
        return loop.call_soon(call)

    monkeypatch.setattr(loop, "call_later", pass_time)
    await send(
        wire, [sound(0), sound(960), sound(1000)], early=lambda pts: pts / 48_000 - now
    )  # fmt: skip

    # Never sooner than it plays; what is late already is not held back.
    assert left == pytest.approx([0.003, 0.023, 0.023])


async def test_clock_that_jumped_back_holds_no_sound_back_for_long() -> None:
    wire = Wire()

    await asyncio.wait_for(send(wire, [sound(0), sound(960)], early=lambda pts: 3600.0), 30)

    assert len(wire.sent) == 2


async def test_viewers_share_the_payloads_of_a_picture() -> None:
    packetizer, packet = Packetizer(), picture(0, 3000, is_keyframe=True)

    first = packetizer.payloads(packet, SETS)

    assert packetizer.payloads(packet, SETS) is first
    assert packetizer.payloads(picture(1, 10), SETS) is not first


@pytest.mark.parametrize("rtx", [97, None])
async def test_lost_packet_is_sent_again(rtx: int | None) -> None:
    wire = Wire()
    sender = await send(wire, [picture(0, 3000), picture(1, 100)], rtx=rtx)
    lost, count = wire.packets[1], len(wire.sent)

    await sender._retransmit(lost.sequence_number)
    await sender._retransmit((lost.sequence_number + 1000) % (1 << 16))

    again = wire.packets[-1]
    if rtx is not None:
        assert (again.ssrc, again.payload_type) == (RTX_SSRC, 97)
        again = unwrap_rtx(again, payload_type=96, ssrc=SSRC)
    assert len(wire.sent) == count + 1
    assert again.sequence_number == lost.sequence_number
    assert (again.payload, again.timestamp, again.marker) == (
        lost.payload, lost.timestamp, lost.marker,
    )  # fmt: skip


async def test_reports_count_what_left() -> None:
    wire = Wire()

    sender = await send(wire, [picture(0, 3000), picture(1, 100)])

    payload_bytes = sum(len(packet.payload) for packet in wire.packets)
    assert sender._RTCRtpSender__packet_count == len(wire.packets)
    assert sender._RTCRtpSender__octet_count == payload_bytes
    assert sender._RTCRtpSender__rtp_timestamp == wire.packets[-1].timestamp


@pytest.mark.parametrize("packet", [picture(0, 100), sound(0)])
async def test_lost_connection_ends_the_track(packet: EncodedPacket) -> None:
    wire = Wire(state="failed")

    sender = await asyncio.wait_for(send(wire, [packet]), 30)

    assert wire.sent == []
    assert sender.track.readyState == "ended"


async def test_pacer_holds_back_what_is_left_of_a_picture() -> None:
    wire, waits, held = Wire(), iter([0.0, 0.005, 0.0]), []

    def spend(size: int, more: int) -> float:
        held.append((len(wire.sent), size, more))
        return next(waits)

    await send(wire, [picture(0, 7000), picture(1, 100)], spend=spend)

    sizes = [len(data) for data in wire.sent]
    assert held == [
        (0, sizes[0], sum(sizes[1:4])),
        (4, sizes[4], sum(sizes[5:-1])),
        (len(sizes) - 1, sizes[-1], 0),
    ]
    assert [p.marker for p in wire.packets] == [0] * (len(sizes) - 2) + [1, 1]
