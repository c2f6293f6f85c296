"""A WebRTC viewer made of aiortc, and a media core with viewers, all in the test's process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    pack_remb_fci,
)

from inference.protocol import IceSpec, Json, RenditionSpec, Signal
from inference.runner.core import MediaCore, QuietCoreListener
from inference.runner.signalling import Viewers

LOOPBACK = IceSpec(host_addresses=("127.0.0.1",))
RENDITION = RenditionSpec("main", 320, 180, 1920, 300)


async def eventually(condition: Callable[[], Any], what: str, *, seconds: float = 60.0) -> Any:
    """The first truthy value of `condition`; AssertionError naming `what` at the deadline."""
    try:
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                await asyncio.sleep(0.02)
            return value
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {what}") from None


class Peer:
    """One receiving peer connection that decodes and counts."""

    def __init__(self, configuration: RTCConfiguration | None = None) -> None:
        self.connection = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        self.pictures: list[tuple[int, int]] = []  # (pts, width_px) of each decoded picture
        self.sounds = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._consume)

    async def offer(self) -> str:
        """An offer with all candidates; VP8 comes first in it, as in Chrome's."""
        self.connection.addTransceiver("video", "recvonly")
        self.connection.addTransceiver("audio", "recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def accept(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what a browser reports ------------------------------------------------------------------

    async def ask_keyframe(self) -> None:
        """A PLI."""
        own, remote = self._ssrcs()
        await self._send(RtcpPsfbPacket(RTCP_PSFB_PLI, own, remote))

    async def report_loss(self, fraction: float) -> None:
        """A receiver report. fraction: 0..1."""
        own, remote = self._ssrcs()
        report = RtcpReceiverInfo(
            ssrc=remote,
            fraction_lost=int(fraction * 255),
            packets_lost=0,
            highest_sequence=0,
            jitter=0,
            lsr=0,
            dlsr=0,
        )
        await self._send(RtcpRrPacket(own, [report]))

    async def report_estimate(self, kbps: float) -> None:
        """A REMB."""
        own, remote = self._ssrcs()
        fci = pack_remb_fci(int(kbps * 1000), [remote])
        await self._send(RtcpPsfbPacket(RTCP_PSFB_APP, own, 0, fci))

    def _ssrcs(self) -> tuple[int, int]:
        (remote,) = [source.source for source in self._receiver.getSynchronizationSources()]
        return 1, remote

    @property
    def _receiver(self) -> RTCRtpReceiver:
        (receiver,) = [r for r in self.connection.getReceivers() if r.track.kind == "video"]
        return receiver

    async def _send(self, packet: Any) -> None:
        await self._receiver.transport._send_rtp(bytes(packet))

    def _consume(self, track: Any) -> None:
        self._tasks.append(asyncio.create_task(self._read(track)))

    async def _read(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.pictures.append((frame.pts, frame.width))
                else:
                    self.sounds += 1


class Stage:
    """A core on air with its viewers; signals by `ask` and `tell` as the web side sends them."""

    def __init__(self, core: MediaCore, ice: IceSpec, limit: int) -> None:
        self.core = core
        self.signals: list[Signal] = []
        self.events: list[tuple[str, Json]] = []
        self.viewers = Viewers(
            core,
            ice,
            limit,
            send=self.signals.append,
            emit=lambda kind, data: self.events.append((kind, data)),
        )
        self.peers: dict[str, Peer] = {}

    async def ask(self, viewer: str, sdp: str, source: str = "") -> Signal:
        """The runner's answer to an offer."""
        request = await self.offer(viewer, sdp, source)
        answer: Signal = await eventually(
            lambda: next((s for s in self.signals if s.id == request), None), "an answer"
        )
        return answer

    async def offer(self, viewer: str, sdp: str, source: str = "") -> str:
        """Hand over an offer without waiting for its answer; the request's id."""
        request = f"{viewer}-{len(self.signals)}"
        data = {"sdp": sdp, "source": source}
        await self.viewers.handle(Signal(viewer, request, "offer", data))
        return request

    async def tell(self, viewer: str, kind: str, data: Json | None = None) -> None:
        await self.viewers.handle(Signal(viewer, f"{viewer}-{kind}", kind, data or {}))

    async def join(self, viewer: str) -> Peer:
        """A new viewer that was answered; it may still be connecting."""
        peer = self.peers[viewer] = Peer()
        answer = await self.ask(viewer, await peer.offer())
        assert answer.kind == "answer", answer
        await peer.accept(answer.data["sdp"])
        return peer

    def told(self, viewer: str, kind: str) -> list[Json]:
        """What the runner told a viewer without being asked."""
        return [s.data for s in self.signals if (s.viewer, s.kind, s.id) == (viewer, kind, "")]


@contextlib.asynccontextmanager
async def on_air(
    ice: IceSpec = LOOPBACK, *, limit: int = 5, rendition: RenditionSpec = RENDITION
) -> AsyncIterator[Stage]:
    """A core that sends a plain picture and silence, with viewers."""
    core = MediaCore((rendition,), QuietCoreListener())
    stage = Stage(core, ice, limit)
    core.start()
    try:
        yield stage
    finally:
        await stage.viewers.close()
        await asyncio.gather(*(peer.close() for peer in stage.peers.values()))
        assert await asyncio.to_thread(core.stop, 60)
