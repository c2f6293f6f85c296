"""Sends a viewer the show's packets as RTP: cut once for all viewers, few steps for each.

It replaces three methods of aiortc 1.16's sender, whose loop builds, logs and keeps an object for
each RTP packet: half of what one more viewer costs (docs/adr/0035). Reports, keys and connectivity
stay aiortc's. The private places used are pinned by `tests/inference/runner/test_rtp_sender.py`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import av
from aiortc import RTCRtpSender, clock
from aiortc.codecs.h264 import H264Encoder
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import HeaderExtensions, RtpPacket

from inference.media.packets import EncodedPacket
from inference.media.tracks import PacketTrack
from inference.protocol import SAMPLE_RATE_HZ

logger = logging.getLogger(__name__)

# Half a second of pictures at 2.5 Mbps; what was lost longer ago is shown too late anyway.
_HISTORY: Final = 256
_MARKER: Final = 0x80
_ABS_SEND_TIME_BYTES: Final = 3
_WORD, _LONG = 0xFFFF, 0xFFFFFFFF

Paced = Callable[[int], Any]


class Packetizer:
    """Cuts coded packets into RTP payloads; viewers of the same packet share them."""

    def __init__(self) -> None:
        self._h264 = H264Encoder()
        self._newest: dict[str, tuple[EncodedPacket, list[bytes]]] = {}

    def payloads(self, packet: EncodedPacket, parameter_sets: bytes) -> list[bytes]:
        """parameter_sets: Annex B to put before keyframes, which WebRTC wants in-band."""
        if packet.stream != "video":
            return [packet.data]
        newest = self._newest.get(packet.rendition)
        if newest is not None and newest[0] is packet:
            return newest[1]
        payloads = self._cut(parameter_sets + packet.data if packet.is_keyframe else packet.data)
        self._newest[packet.rendition] = packet, payloads
        return payloads

    def _cut(self, data: bytes) -> list[bytes]:
        coded: Any = av.Packet(data)
        coded.pts, coded.time_base = 0, Fraction(1)  # its timestamps are not used
        payloads: list[bytes] = self._h264.pack(coded)[0]
        return payloads


class RtpSender:
    """Takes over an aiortc sender before it starts. One task, on the event loop."""

    def __init__(
        self, sender: RTCRtpSender, packetizer: Packetizer, spend: Paced | None = None
    ) -> None:
        """spend(size): awaited before a packet of that size leaves; None = not paced."""
        self._sender = sender
        self._packetizer = packetizer
        self._spend = spend
        self._history: dict[int, tuple[int, bytes]] = {}
        self._sequence = secrets.randbelow(1 << 15)
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._origin = secrets.randbits(32)
        sender._run_rtp = self._run  # type: ignore[method-assign]
        sender._retransmit = self._retransmit  # type: ignore[method-assign]

    def _get(self, name: str) -> Any:
        return getattr(self._sender, f"_RTCRtpSender__{name}")

    def _set(self, name: str, value: object) -> None:
        setattr(self._sender, f"_RTCRtpSender__{name}", value)

    async def _run(self, codec: Any) -> None:
        self._get("rtp_started").set()
        track = self._sender.track
        assert isinstance(track, PacketTrack)
        self._prepare_header(codec)
        try:
            while True:
                await self._send_packet(await track.recv(), track.parameter_sets)
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            pass
        except Exception:
            # The edge of one viewer: aiortc's `stop` waits for the mark below.
            logger.exception("sending to a viewer failed")
        track.stop()
        self._get("rtp_exited").set()

    def _prepare_header(self, codec: Any) -> None:
        """A header with the extensions that were agreed on, to be filled in for each packet."""
        self._payload_type, self._clock_rate = codec.payloadType, codec.clockRate
        zeros, ones = (self._header_with(value) for value in (0, (1 << 24) - 1))
        self._header = bytearray(zeros)
        # Where the only bytes that differ stand; None when the viewer did not ask for them.
        self._send_time_at = next(
            (at for at, (zero, one) in enumerate(zip(zeros, ones, strict=True)) if zero != one),
            None,
        )

    def _header_with(self, abs_send_time: int) -> bytes:
        packet = RtpPacket(payload_type=self._payload_type, ssrc=self._sender._ssrc)
        packet.extensions = HeaderExtensions(abs_send_time=abs_send_time, mid=self._get("mid"))
        return packet.serialize(self._get("rtp_header_extensions_map"))

    async def _send_packet(self, packet: EncodedPacket, parameter_sets: bytes) -> None:
        payloads = self._packetizer.payloads(packet, parameter_sets)
        timestamp = (self._origin + packet.pts * self._clock_rate // SAMPLE_RATE_HZ) & _LONG
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            if self._spend is not None:
                await self._spend(len(self._header) + len(payload))
            is_last = index == last and packet.stream == "video"
            self._send_payload(payload, timestamp, _MARKER if is_last else 0)
        self._count(payloads, timestamp)

    def _send_payload(self, payload: bytes, timestamp: int, marker: int) -> None:
        sequence = self._sequence
        struct.pack_into("!BHI", self._header, 1, self._payload_type | marker, sequence, timestamp)
        if self._send_time_at is not None:
            # 24 bits of 6.18 fixed-point seconds; 64 s divide the NTP epoch's offset evenly.
            now = int(time.time() * (1 << 18)) & 0xFFFFFF
            end = self._send_time_at + _ABS_SEND_TIME_BYTES
            self._header[self._send_time_at : end] = now.to_bytes(_ABS_SEND_TIME_BYTES, "big")
        data = bytes(self._header) + payload
        self._history[sequence % _HISTORY] = sequence, data
        self._sequence = (sequence + 1) & _WORD
        self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        """Encrypt and hand to the socket. Raises ConnectionError without a connection."""
        dtls = self._sender.transport
        pair = dtls.transport._connection._nominated.get(1)
        if dtls.state != "connected" or pair is None:
            raise ConnectionError("the viewer is not connected")
        pair.protocol.transport.sendto(dtls._tx_srtp.protect(data), pair.remote_addr)

    def _count(self, payloads: list[bytes], timestamp: int) -> None:
        """What aiortc's sender reports tell the viewer."""
        self._set("ntp_timestamp", clock.current_ntp_time())
        self._set("rtp_timestamp", timestamp)
        self._set("packet_count", self._get("packet_count") + len(payloads))
        self._set("octet_count", self._get("octet_count") + sum(map(len, payloads)))

    async def _retransmit(self, sequence_number: int) -> None:
        """Send again what a viewer reported as lost (RFC 4588 where it was agreed on)."""
        kept, data = self._history.get(sequence_number % _HISTORY, (-1, b""))
        if kept != sequence_number:
            return
        payload_type = self._get("rtx_payload_type")
        if payload_type is not None:
            data = self._as_rtx(data, payload_type)
        self._transmit(data)

    def _as_rtx(self, data: bytes, payload_type: int) -> bytes:
        size = len(self._header)
        header = bytearray(data[:size])
        header[1] = header[1] & _MARKER | payload_type
        struct.pack_into("!H", header, 2, self._rtx_sequence)
        struct.pack_into("!I", header, 8, self._sender._rtx_ssrc)
        self._rtx_sequence = (self._rtx_sequence + 1) & _WORD
        return bytes(header) + data[2:4] + data[size:]
