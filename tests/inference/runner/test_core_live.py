"""The core on real time, with a worker that draws into a real ring from another thread."""

from __future__ import annotations

import contextlib
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inference.media.packets import EncodedPacket
from inference.media.ring import LEAD_FRAMES, RingReader, RingWriter
from inference.protocol import RenditionSpec
from inference.runner.core import MediaCore, QuietCoreListener
from inference.runner.fanout import Subscription, SubscriptionClosedError
from inference.runner.mixer import Segment

pytestmark = pytest.mark.live

SPEC = RenditionSpec("main", 640, 360, 1920, 1000)


class Painter(threading.Thread):
    """Draws what the ring's clock asks for until it is stopped."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._ring = RingWriter.attach(path)
        self.stopping = threading.Event()

    def run(self) -> None:
        done = -1
        while not self.stopping.wait(0.002):
            frame, generation = self._ring.clock()
            for number in range(max(done + 1, frame), frame + LEAD_FRAMES + 1):
                self._ring.begin_frame(number)[:] = 60 + number % 50
                self._ring.end_frame(number, generation)
                done = number


def collect(subscription: Subscription, packets: list[EncodedPacket]) -> None:
    """Take whatever comes, on the threads that bring it; only one of them at a time."""
    lock = threading.Lock()

    def take(_: EncodedPacket | None) -> None:
        with lock, contextlib.suppress(SubscriptionClosedError):
            while (packet := subscription.take()) is not None:
                packets.append(packet)

    subscription.listen(take)


def holes(times: list[int], step: int) -> int:
    """How often a packet does not follow the one before it."""
    assert times == sorted(set(times))
    return sum(after - before != step for before, after in pairwise(times))


def test_four_seconds_on_air(tmp_path: Path) -> None:
    core = MediaCore([SPEC], QuietCoreListener())
    ring = RingReader.create(tmp_path / "live.ring", width_px=640, height_px=360)
    painter = Painter(tmp_path / "live.ring")
    core.attach_ring(ring)
    subscription = core.hub.subscribe("reader", {"video:main", "aac", "opus"})
    packets: list[EncodedPacket] = []
    collect(subscription, packets)

    core.start()
    painter.start()
    core.mixer.schedule(Segment.complete("a", np.full(96_000, 900, np.int16)), lead_samples=960)
    until = time.monotonic() + 60
    while core.mixer.position < 4 * 48_000:
        assert time.monotonic() < until
        time.sleep(0.05)
    metrics = core.metrics()
    assert core.stop(60)
    painter.stopping.set()
    painter.join(60)

    opus = [p.pts for p in packets if p.stream == "opus"]
    aac = [p.pts for p in packets if p.stream == "aac"]
    video = [p.pts for p in packets if p.stream == "video"]
    # Only a machine that stands still for half a second leaves a hole, and it is counted.
    assert holes(opus, 960) <= metrics["rebases"]
    assert holes(aac, 1024) <= metrics["rebases"]
    assert video == sorted(set(video))
    assert all(pts % 1920 == 0 for pts in video)
    if not metrics["rebases"]:
        assert len(opus) >= 190
        assert len(video) + metrics["dropped"] >= 95
    assert metrics["source"] in ("worker", "held")
    with pytest.raises(SubscriptionClosedError):
        subscription.take()
