"""The measuring RTMP reader against a real server and the product's own publisher."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks.rtmp_reader import RtmpReader
from inference.engines.base import FaceSetup
from inference.engines.face.testcard.engine import TestcardEngine
from inference.media.encoder import AacEncoder, VideoEncoder
from inference.outputs.rtmp.publisher import Publisher, Target
from inference.protocol import RenditionSpec
from tests.services import rtmp_server

pytestmark = pytest.mark.live

WIDTH, HEIGHT, FRAME_SAMPLES, FRAMES = 320, 180, 1920, 50


def test_reader_attached_before_the_stream_sees_every_picture_and_all_sound() -> None:
    with rtmp_server() as server, RtmpReader(server.url("early")) as reader:
        asyncio.run(_publish(server.push_url, "early"))
        pictures, sound = reader.recorded.pictures, reader.recorded.sound()[0]

    clocks = [p.card.clock_ms for p in pictures if p.card]
    assert clocks == list(range(0, FRAMES * 40, 40))
    assert np.abs(sound).max() == pytest.approx(0.25, abs=0.05)
    assert len(sound) >= FRAMES * FRAME_SAMPLES - 3 * 1024


async def _publish(push_url: str, key: str) -> None:
    """Two seconds of test cards and a 1 kHz tone, all at once."""
    setup = FaceSetup(WIDTH, HEIGHT, FRAME_SAMPLES, "full", "studio", {}, "")
    card, picture = TestcardEngine(setup), np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    video = VideoEncoder(RenditionSpec("main", WIDTH, HEIGHT, FRAME_SAMPLES, 600))
    audio = AacEncoder()
    publisher = Publisher(Target(push_url, key, ("127.0.0.1",)), video.headers(audio.config))
    await publisher.open()
    for frame in range(FRAMES):
        first = frame * FRAME_SAMPLES
        turns = np.arange(first, first + FRAME_SAMPLES) / 48
        card.render(first, 0, picture)
        publisher.send([video.encode(picture, frame)])
        tone = np.rint(8192 * np.sin(2 * np.pi * turns)).astype(np.int16)
        for packet in audio.encode(first, tone):
            if packet.pts >= 0:
                publisher.send([packet])
        await publisher.drain()
    await asyncio.sleep(1)
    await publisher.close()
