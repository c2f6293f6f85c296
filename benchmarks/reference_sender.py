"""The reference for viewers: aiortc as it comes, encoding once per viewer.

`python -m benchmarks.reference_sender FILM` prints {"port": …} and answers WHEP offers there with
the film's pictures as 720p25 H.264, until the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from benchmarks.rendering import FRAME_SAMPLES, RATE_HZ, Pictures, map_talk
from inference.media.ice import use_addresses
from inference.protocol import IceSpec

_TIME_BASE = Fraction(FRAME_SAMPLES, RATE_HZ)


class FilmTrack(MediaStreamTrack):
    """The film, forth and back, at its own pace. Frames are not copied."""

    kind = "video"

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self._pictures = pictures
        self._began = time.monotonic()
        self._frame = 0

    async def recv(self) -> Any:
        """The next picture when it is due."""
        due = self._began + float(self._frame * _TIME_BASE)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        position, last = self._frame % (2 * len(self._pictures)), 2 * len(self._pictures) - 1
        picture = self._pictures[min(position, last - position)]
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = self._frame, _TIME_BASE
        self._frame += 1
        return frame


async def _serve(film: Path) -> None:
    use_addresses(IceSpec(host_addresses=("127.0.0.1",)))
    pictures = map_talk(film)
    peers: list[RTCPeerConnection] = []

    async def whep(request: web.Request) -> web.Response:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(peer)
        peer.addTrack(FilmTrack(pictures))
        codecs = RTCRtpSender.getCapabilities("video").codecs
        video = next(t for t in peer.getTransceivers() if t.kind == "video")
        video.setCodecPreferences([c for c in codecs if c.mimeType.lower() == "video/h264"])
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        text = peer.localDescription.sdp
        return web.Response(text=text, status=201, content_type="application/sdp")

    application = web.Application()
    application.router.add_post("/whep/", whep)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(peer.close() for peer in peers))
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
