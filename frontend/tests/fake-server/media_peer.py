"""Answers WebRTC offers with a moving H.264 picture and a soft tone, one JSON line per offer.

Reads `{"id", "sdp"}` lines from stdin, writes `{"id", "sdp"}` answers to stdout, ends with stdin.
An optional argument names the picture to show instead of the drawn one.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import sys

import av
import numpy as np
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)

SIZE_PX = (960, 540)
SAMPLE_RATE_HZ = 48_000
TONE_HZ = 220.0


def load_picture(path: str | None) -> np.ndarray:
    """The picture to show: (height, width, 3) uint8 RGB."""
    width, height = SIZE_PX
    if path is None:
        rows = np.linspace(30, 110, height, dtype=np.uint8)[:, None]
        columns = np.linspace(40, 150, width, dtype=np.uint8)[None, :]
        return np.dstack([rows + 0 * columns, (rows + columns) // 2, columns + 0 * rows])
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        return frame.reformat(width=width, height=height, format="rgb24").to_ndarray()


class MovingPicture(VideoStreamTrack):
    """The picture with a bar that moves, so that every frame differs."""

    def __init__(self, picture: np.ndarray) -> None:
        super().__init__()
        self._picture = picture
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        """The next frame at 30 fps."""
        pts, time_base = await self.next_timestamp()
        image = self._picture.copy()
        left = (self._count * 6) % (SIZE_PX[0] - 60)
        image[-8:, left : left + 60] = (255, 51, 71)
        self._count += 1
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A quiet sine, so that sound can be measured."""

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms at 48 kHz mono."""
        silent = await super().recv()
        start = (silent.pts or 0) * SAMPLE_RATE_HZ // silent.sample_rate
        count = silent.samples * SAMPLE_RATE_HZ // silent.sample_rate
        phase = (start + np.arange(count)) * (2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ)
        samples = (np.sin(phase) * 3000).astype(np.int16)[None, :]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE_HZ)
        return frame


async def answer(sdp: str, picture: np.ndarray) -> tuple[RTCPeerConnection, str]:
    """A peer that sends to the given offer, and its SDP answer with all candidates."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(Tone())
    peer.addTrack(MovingPicture(picture))
    codecs = RTCRtpSender.getCapabilities("video").codecs
    # Preferences count only before the offer is set.
    peer.getTransceivers()[1].setCodecPreferences(
        [codec for codec in codecs if codec.mimeType == "video/H264"]
    )
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return peer, peer.localDescription.sdp


async def main() -> None:
    """Answer offers until stdin ends, then close every peer."""
    picture = load_picture(sys.argv[1] if len(sys.argv) > 1 else None)
    peers: list[RTCPeerConnection] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        peer, sdp = await answer(request["sdp"], picture)
        peers.append(peer)
        sys.stdout.write(json.dumps({"id": request["id"], "sdp": sdp}) + "\n")
        sys.stdout.flush()
    await asyncio.gather(*(peer.close() for peer in peers))


if __name__ == "__main__":
    asyncio.run(main())
