"""Coded packets made by FFmpeg's encoders, for tests of what carries them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np

from inference.media.packets import EncodedPacket, StreamHeaders

WIDTH, HEIGHT, FRAME_SAMPLES = 320, 180, 1920
_RATE = 48_000


@lru_cache
def coded(seconds: int = 4) -> tuple[StreamHeaders, tuple[EncodedPacket, ...]]:
    """(headers, packets in pts order): 25 fps, keyframe each second, 440 Hz tone."""
    video, audio = _video_encoder(), _audio_encoder()
    packets = [*_video_packets(video, seconds), *_audio_packets(audio, seconds)]
    headers = StreamHeaders(
        WIDTH, HEIGHT, FRAME_SAMPLES, bytes(video.extradata), bytes(audio.extradata), 300
    )
    return headers, tuple(sorted(packets, key=lambda packet: packet.pts))


def _video_encoder() -> Any:
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    context.flags |= av.codec.context.Flags.global_header
    context.open()
    return context


def _video_packets(context: Any, seconds: int) -> Iterator[EncodedPacket]:
    for index in range(seconds * 25):
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        picture[:HEIGHT] = (np.arange(WIDTH)[None, :] + index * 4) % 200 + 20
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        for packet in context.encode(frame):
            pts = packet.pts * FRAME_SAMPLES
            yield EncodedPacket("video", pts, FRAME_SAMPLES, packet.is_keyframe, bytes(packet))


def _audio_encoder() -> Any:
    context: Any = av.CodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = _RATE, "stereo", "fltp"
    context.flags |= av.codec.context.Flags.global_header
    context.open()
    return context


def _audio_packets(context: Any, seconds: int) -> Iterator[EncodedPacket]:
    for start in range(0, seconds * _RATE, 1024):
        wave = 0.3 * np.sin(2 * np.pi * 440 * (start + np.arange(1024)) / _RATE)
        samples = np.stack([wave, wave]).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = _RATE, start, Fraction(1, _RATE)
        for packet in context.encode(frame):
            yield EncodedPacket("aac", packet.pts, 1024, True, bytes(packet))


class ListSource:
    """A packet source that a test fills."""

    def __init__(self, packets: tuple[EncodedPacket, ...] = ()) -> None:
        self.dropped = 0
        self.closed = False
        self._queue = deque(packets)
        self._on_packet: Callable[[EncodedPacket | None], None] = lambda packet: None

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, packet: EncodedPacket) -> None:
        self._queue.append(packet)
        self._on_packet(packet)

    def listen(self, on_packet: Callable[[EncodedPacket | None], None]) -> None:
        self._on_packet = on_packet

    def take(self) -> EncodedPacket | None:
        if self._queue:
            return self._queue.popleft()
        if self.closed:
            raise EOFError
        return None

    def close(self) -> None:
        self.closed = True
