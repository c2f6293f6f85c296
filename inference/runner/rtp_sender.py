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
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from typing import Any, Final

import av
from aiortc import RTCRtpSender, clock
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtp import HeaderExtensions, RtpPacket

from inference.media.packets import EncodedPacket
from inference.media.tracks import PacketTrack
from inference.protocol import SAMPLE_RATE_HZ

logger = logging.getLogger(__name__)

# Half a second of pictures at 2.5 Mbps; what was lost longer ago is shown too late anyway.
_HISTORY: Final = 256
# Paced, so many leave together: each wake of the loop costs more than to send one.
_TOGETHER: Final = 4
_EARLY_SECONDS: Final = 0.04
_LAG_SECONDS: Final = 0.005
_MARKER: Final = 0x80
_ABS_SEND_TIME_BYTES: Final = 3
_WORD, _LONG = 0xFFFF, 0xFFFFFFFF

_PRIVATE: Final = "_RTCRtpSender__"
_NTP_TIMESTAMP, _RTP_TIMESTAMP = f"{_PRIVATE}ntp_timestamp", f"{_PRIVATE}rtp_timestamp"
_PACKET_COUNT, _OCTET_COUNT = f"{_PRIVATE}packet_count", f"{_PRIVATE}octet_count"

Paced = Callable[[int, int], float]
Early = Callable[[int], float]


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
    """Takes over an aiortc sender before it starts. Called by its source on the event loop: a task
    that waits for packets costs a turn of the loop more for each.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        packetizer: Packetizer,
        *,
        spend: Paced | None = None,
        early: Early | None = None,
    ) -> None:
        """spend(size, more): seconds to wait before a packet of that size leaves, and `more` bytes
        with it; None = not paced. early(pts): seconds until a packet is due, or less than 0; None =
        each leaves when it is there.
        """
        self._sender = sender
        self._packetizer = packetizer
        self._spend = spend
        self._early = early
        self._next: EncodedPacket | None = None  # taken, and not due yet
        self._lag = 0.0
        self._history: dict[int, tuple[int, bytes]] = {}
        self._sequence = secrets.randbelow(1 << 15)
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._origin = secrets.randbits(32)
        # Payload, timestamp, marker of what has begun to leave.
        self._left: deque[tuple[bytes, int, int]] = deque()
        self._paid = 0  # so many of them may leave now
        self._timer: asyncio.TimerHandle | None = None
        sender._run_rtp = self._run  # type: ignore[method-assign]
        sender._retransmit = self._retransmit  # type: ignore[method-assign]

    def _get(self, name: str) -> Any:
        return getattr(self._sender, f"{_PRIVATE}{name}")

    async def _run(self, codec: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._get("rtp_started").set()
        track = self._sender.track
        assert isinstance(track, PacketTrack)
        self._track = track
        self._prepare_header(codec)
        try:
            track.start(lambda source: source.call_on(self._loop, self._pump))
            await self._over
        except asyncio.CancelledError:
            pass
        except Exception:
            # The edge of one viewer: aiortc's `stop` waits for the mark below.
            logger.exception("sending to a viewer failed")
        self._close()
        self._get("rtp_exited").set()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._track.stop()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _pump(self) -> None:
        """Send what there is, until the pacer says to wait."""
        if self._timer is not None or self._over.done():
            return
        if not self._send_all():
            self._end()

    def _go_on(self) -> None:
        self._timer = None
        self._pump()

    def _send_all(self) -> bool:
        """False when the viewer gets nothing more."""
        try:
            while self._left or self._load():
                if not self._paid and self._must_wait():
                    return True
                self._paid -= 1
                self._send_payload(*self._left.popleft())
        except (ConnectionError, EOFError):
            return False
        except Exception:
            # The edge of one viewer.
            logger.exception("sending to a viewer failed")
            return False
        return True

    def _must_wait(self) -> bool:
        """Pay for the next payloads; whether they may not leave yet: then `_go_on` is called."""
        self._paid = min(len(self._left), _TOGETHER)
        if self._spend is None:
            return False
        sizes = [len(self._header) + len(left[0]) for left in islice(self._left, self._paid)]
        wait_seconds = self._spend(sizes[0], sum(sizes[1:]))
        if wait_seconds <= 0:
            return False
        self._timer = self._loop.call_later(wait_seconds, self._go_on)
        return True

    def _load(self) -> bool:
        """Cut the next packet; False when none is there. Raises EOFError at the end."""
        held, self._next = self._next, None
        packet = held or self._track.take()
        if packet is None:
            return False
        if held is None and self._is_early(packet):
            self._next = packet
            return False
        payloads = self._packetizer.payloads(packet, self._track.parameter_sets)
        timestamp = (self._origin + packet.pts * self._clock_rate // SAMPLE_RATE_HZ) & _LONG
        self._left.extend((payload, timestamp, 0) for payload in payloads)
        if packet.stream == "video":
            self._left[-1] = (payloads[-1], timestamp, _MARKER)
        self._count(payloads, timestamp)
        return True

    def _is_early(self, packet: EncodedPacket) -> bool:
        """Whether it is not due yet: then `_go_on` is called when it is."""
        if self._early is None:
            return False
        wait_seconds = self._early(packet.pts)
        if wait_seconds <= 0:
            self._lag = min(-wait_seconds, _LAG_SECONDS)
            return False
        wait_seconds += self._lag
        # It waits once: a clock that jumps must not hold sound back for long.
        self._timer = self._loop.call_later(min(wait_seconds, _EARLY_SECONDS), self._go_on)
        return True

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
        told = vars(self._sender)
        told[_NTP_TIMESTAMP], told[_RTP_TIMESTAMP] = clock.current_ntp_time(), timestamp
        told[_PACKET_COUNT] += len(payloads)
        told[_OCTET_COUNT] += sum(map(len, payloads))

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
