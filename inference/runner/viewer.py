"""One WebRTC viewer: a peer connection that gets the show's own packets.

Uses three private places of aiortc 1.16 (pinned; `tests/inference/runner/test_viewers.py` fails if
they move): the sender's `_send_keyframe`, `_handle_rtcp_packet` and `_ssrc`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)
from aiortc.sdp import candidate_from_sdp

from inference.media.tracks import PacketTrack
from inference.protocol import Json
from inference.runner.offers import VIEWER_MAX_CANDIDATES, take_hidden_candidates
from inference.runner.rtp_sender import Early, Packetizer, RtpSender

logger = logging.getLogger(__name__)

# A join must be seen through before the next begins, or be given up.
CONNECT_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 2.0
PACE_FACTOR: Final = 1.5
_BURST_BYTES: Final = 24_000
_LOSS_LIMIT: Final = 0.05
# One bad second is no weak network: losses and low estimates must last.
_WEAK_SECONDS: Final = 3.0
_SETTLE_SECONDS: Final = 5.0
_PLI_LIMIT: Final = 3
_PLI_SECONDS: Final = 10.0


class NoAddressError(Exception):
    """There is no address or port by which this viewer could reach us."""


class NoH264Error(Exception):
    """The viewer's offer has no H.264 that we can send."""


class Health:
    """Whether a viewer's network carries the picture, from its RTCP reports.

    Weak: for 3 s more than 5 % lost or REMB below what is sent, or 3 PLIs in 10 s; never in the
    first 5 s, in which browsers still feel their way up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """After a join or a switch: judge by new reports."""
        self._plis: deque[float] = deque(maxlen=_PLI_LIMIT)
        self._low_since: float | None = None
        self._lossy_since: float | None = None
        self._began = self._troubled_at = self._clock()

    def lost(self, fraction: float) -> None:
        """A receiver report. fraction: 0..1 of the packets since the last one."""
        if fraction <= _LOSS_LIMIT:
            self._lossy_since = None
        else:
            self._troubled_at = self._clock()
            if self._lossy_since is None:
                self._lossy_since = self._troubled_at

    def estimated(self, kbps: float, sent_kbps: float) -> None:
        """A receiver's estimate of what it can get, against what it is sent."""
        if kbps >= sent_kbps:
            self._low_since = None
        else:
            self._troubled_at = self._clock()
            if self._low_since is None:
                self._low_since = self._troubled_at

    def picture_lost(self) -> None:
        """A PLI or FIR."""
        self._troubled_at = self._clock()
        self._plis.append(self._troubled_at)

    @property
    def quiet_seconds(self) -> float:
        """Since the last sign of trouble, or since it is judged."""
        return self._clock() - self._troubled_at

    @property
    def is_weak(self) -> bool:
        now = self._clock()
        if now - self._began < _SETTLE_SECONDS:
            return False
        asks = len(self._plis) == _PLI_LIMIT and now - self._plis[0] <= _PLI_SECONDS
        return asks or _has_lasted(self._lossy_since, now) or _has_lasted(self._low_since, now)


def _has_lasted(since: float | None, now: float) -> bool:
    return since is not None and now - since >= _WEAK_SECONDS


class Pacer:
    """A token bucket over one stream's RTP packets: a keyframe must not leave as one burst."""

    def __init__(self, kbps: float) -> None:
        self.bytes_per_second = kbps * 125
        self._tokens = float(_BURST_BYTES)
        self._at = time.monotonic()
        self._window = (self._at, 0)
        self.sent_kbps = 0.0

    def spend(self, size: int, more: int = 0) -> float:
        """Seconds to wait before `size` bytes may leave. `more` leave with them; what comes after
        waits for those too.
        """
        now = time.monotonic()
        self._count(size + more, now)
        self._tokens += (now - self._at) * self.bytes_per_second
        self._tokens, self._at = min(self._tokens, _BURST_BYTES) - size, now
        wait_seconds = max(0.0, -self._tokens / self.bytes_per_second)
        self._tokens -= more
        return wait_seconds

    def _count(self, size: int, now: float) -> None:
        began, total = self._window
        if now - began >= 1.0:
            self.sent_kbps = total / 125 / (now - began)
            began, total = now, 0
        self._window = (began, total + size)


class Viewer:
    """A peer connection from offer to end.

    early(pts): seconds until sound is due. on_picture_lost(): PLI or FIR. on_closed(step, reason):
    it is over; step names what failed: ice | dtls | closed.
    """

    def __init__(
        self,
        viewer: str,
        configuration: RTCConfiguration,
        video: PacketTrack,
        audio: PacketTrack,
        packetizer: Packetizer,
        *,
        bitrate_kbps: int,
        early: Early,
        on_picture_lost: Callable[[], None],
        on_closed: Callable[[str, str, str], None],
    ) -> None:
        self.id = viewer
        self.health = Health()
        self.video = video
        self.audio = audio
        self._on_picture_lost = on_picture_lost
        self._on_closed = on_closed
        self._pacer = Pacer(bitrate_kbps * PACE_FACTOR)
        self._packetizer = packetizer
        self._early = early
        self._connected = asyncio.Event()
        self._is_closing = False
        self._candidates = 0
        self._hidden: list[Json] = []
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("connectionstatechange", self._state_changed)

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    async def answer(self, offer: str) -> str:
        """The SDP answer with all candidates.

        Raises NoH264Error, NoAddressError, and whatever aiortc's parser met in a bad offer.
        """
        if not offer.startswith("v=0"):
            raise ValueError("not a session description")
        if "H264/90000" not in offer:
            raise NoH264Error("the offer has no H.264")
        connection = self._connection
        video_sender = connection.addTrack(self.video)
        audio_sender = connection.addTrack(self.audio)
        # Before setRemoteDescription: later it is ignored, VP8 wins and H.264 is sent as VP8.
        own = connection.getTransceivers()
        transceiver = next(t for t in own if t.kind == "video")
        transceiver.setCodecPreferences(_h264_codecs())
        RtpSender(video_sender, self._packetizer, spend=self._pacer.spend)
        RtpSender(audio_sender, self._packetizer, early=self._early)
        offer, self._hidden = take_hidden_candidates(offer)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        except OperationError as error:
            raise NoH264Error("no kind of picture or sound is common to both") from error
        _send_only(connection, own)
        self._check_codec(transceiver)
        await connection.setLocalDescription(await connection.createAnswer())
        self._watch(video_sender)
        sdp = str(connection.localDescription.sdp)
        if "a=candidate:" not in sdp:
            raise NoAddressError("no free UDP port")
        return sdp

    async def add_candidate(self, data: dict[str, Any]) -> None:
        """A trickled candidate. Raises ValueError when it is malformed, or one of too many."""
        text = str(data.get("candidate") or "")
        if not text:
            return
        self._candidates += 1
        if self._candidates > VIEWER_MAX_CANDIDATES:
            raise ValueError("too many candidates")
        try:
            candidate = candidate_from_sdp(text.removeprefix("candidate:"))
        except AssertionError as error:
            # aiortc's parser asserts what it reads.
            raise ValueError("not an ICE candidate") from error
        candidate.sdpMid = data.get("sdpMid")
        candidate.sdpMLineIndex = data.get("sdpMLineIndex")
        await self._connection.addIceCandidate(candidate)

    async def add_hidden_candidates(self) -> None:
        """Look up the names that browsers give in place of their addresses; a second for each."""
        for data in self._hidden:
            if self._is_closing or self.is_connected:
                return
            with contextlib.suppress(ValueError):
                await self.add_candidate(data)

    async def wait_connected(self) -> None:
        """Until media flows. Raises TimeoutError."""
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._connected.wait()

    def set_bitrate(self, kbps: int) -> None:
        """After a switch to another rendition; 0: to sound alone."""
        self.health.reset()
        if kbps:  # what still waits of a picture leaves as before, not in minutes
            self._pacer.bytes_per_second = kbps * PACE_FACTOR * 125

    async def close(self) -> None:
        """Say goodbye; a connection that hangs is left behind."""
        self._is_closing = True
        self.video.stop()
        self.audio.stop()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()
        except TimeoutError:
            logger.warning("a viewer's connection did not close in time")

    def _check_codec(self, transceiver: RTCRtpTransceiver) -> None:
        codecs = transceiver._codecs
        if not codecs or codecs[0].mimeType.lower() != "video/h264":
            raise NoH264Error("H.264 packetization mode 1 was not agreed on")

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
            self.health.reset()
            return
        if state not in ("failed", "closed") or self._is_closing:
            return
        if self._connected.is_set():
            self._on_closed(self.id, "closed", "the viewer's connection was lost")
        else:
            ice = self._connection.iceConnectionState
            step = "dtls" if ice in ("connected", "completed") else "ice"
            self._on_closed(self.id, step, f"the {step.upper()} connection could not be made")

    def _watch(self, sender: RTCRtpSender) -> None:
        """Hook the reports in."""
        handle, ssrc = sender._handle_rtcp_packet, sender._ssrc

        async def handle_report(packet: Any) -> None:
            self._judge(packet, ssrc)
            await handle(packet)

        sender._handle_rtcp_packet = handle_report  # type: ignore[method-assign]
        sender._send_keyframe = self._picture_lost  # type: ignore[method-assign]

    def _picture_lost(self) -> None:
        self.health.picture_lost()
        self._on_picture_lost()

    def _judge(self, packet: Any, ssrc: int) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == ssrc:
                    self.health.lost(report.fraction_lost / 256)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            try:
                bitrate, _ = unpack_remb_fci(packet.fci)
            except ValueError:
                return
            self.health.estimated(bitrate / 1000, self._pacer.sent_kbps)


def _send_only(connection: RTCPeerConnection, own: list[RTCRtpTransceiver]) -> None:
    """Take nothing from the viewer: what it sends would be decoded here, frames kept for ever."""
    for transceiver in connection.getTransceivers():
        transceiver.direction = "sendonly" if transceiver in own else "inactive"


def _h264_codecs() -> list[Any]:
    return [
        codec
        for codec in RTCRtpSender.getCapabilities("video").codecs
        if codec.mimeType.lower() in ("video/h264", "video/rtx")
    ]
