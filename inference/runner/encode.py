"""What stands between the tick and the packets: encoders of sound and pictures, on one thread.

Late pictures are skipped; sound never is: when a second of it waits, the tick waits too.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from inference.media.clock import TICK_SAMPLES, prefer_this_thread
from inference.media.encoder import Samples, VideoEncoder
from inference.media.measure import Meter, Window
from inference.media.packets import EncodedPacket
from inference.media.picture import empty_picture, fit_inside, scale_picture
from inference.media.ring import Picture
from inference.protocol import SAMPLE_RATE_HZ
from inference.runner.compose import Composer
from inference.runner.mixer import TickBlock

logger = logging.getLogger(__name__)

# Of 20 ms each.
CAPACITY_BLOCKS: Final = 50
PICTURES_BEHIND: Final = 2
SOUND_WAIT_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.002
_THUMBNAIL_SHORT_SIDE_PX: Final = 180
_MS_PER_SAMPLE: Final = 1000 / SAMPLE_RATE_HZ

Publish = Callable[[EncodedPacket], None]
Failed = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class PictureDue:
    """Frame number `frame` is due."""

    frame: int
    generation: int


@dataclass(frozen=True, slots=True)
class _Due:
    """What a tick hands over: the sound it mixed, and the picture that is due if any."""

    blocks: Sequence[TickBlock]
    picture: PictureDue | None


class EncodingThread:
    """One thread for all encoders: it takes what waits, all sound first, the newest pictures then.

    One thread, because waking a second costs more than encoding 20 ms of sound (docs/adr/0035).
    Capacity: 1 s; beyond it the tick waits. A failure ends the thread and is told once, with the
    name of the part: sound | video.
    """

    def __init__(
        self,
        sound: SoundStage,
        pictures: PictureStage,
        wake_readers: Callable[[], None],
        on_failed: Failed,
    ) -> None:
        """wake_readers(): called when everything that waited is published."""
        self.sound_dropped = self.pictures_dropped = 0
        # Read by whoever looks whether it stands still. at_work: the part, empty while it waits.
        self.rounds, self.at_work = 0, ""
        self._sound, self._pictures = sound, pictures
        self._wake_readers = wake_readers
        self._on_failed = on_failed
        # An event is a mark to be set when it is reached, None the end. The queue written in C: a
        # condition in Python costs the tick as much as mixing does.
        self._queue: SimpleQueue[_Due | threading.Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="media-encode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, blocks: Sequence[TickBlock], picture: PictureDue | None) -> None:
        """Take what became due at a tick; at least one block.

        When full, wait up to 1 s, then give up on it and count it as dropped.
        """
        deadline = time.monotonic() + SOUND_WAIT_SECONDS
        while self._queue.qsize() * len(blocks) >= CAPACITY_BLOCKS:
            if time.monotonic() > deadline or not self._thread.is_alive():
                self.sound_dropped += len(blocks)
                return
            time.sleep(_POLL_SECONDS)
        self._queue.put(_Due(blocks, picture))

    def settle(self) -> None:
        """Wait until everything put so far is worked off."""
        reached = threading.Event()
        self._queue.put(reached)
        while self._thread.is_alive() and not reached.wait(0.05):
            continue

    def stop(self, timeout_seconds: float) -> bool:
        """Work off what waits and end; False when that took longer and the thread was left."""
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        prefer_this_thread()
        try:
            while self._work_off():
                continue
            self.at_work = self._sound.name
            self._sound.finish()
            self.at_work = self._pictures.name
            self._pictures.finish()
            self._wake_readers()
        except Exception as error:
            logger.exception("a media stage failed", extra={"stage": self.at_work})
            self._on_failed(self.at_work, error)

    def _work_off(self) -> bool:
        """Wait for something and do all that waits; False at the end."""
        waiting = [self._queue.get()]
        with contextlib.suppress(Empty):
            while True:
                waiting.append(self._queue.get_nowait())
        dues = [item for item in waiting if isinstance(item, _Due)]
        self.at_work = self._sound.name
        for due in dues:
            self._sound.work(due.blocks)
        if dues:
            # Before the picture: sound that comes unevenly makes a browser hold back both.
            self._wake_readers()
        self.at_work = self._pictures.name
        pictures = [due.picture for due in dues if due.picture is not None]
        self.pictures_dropped += len(pictures[:-PICTURES_BEHIND])
        for picture in pictures[-PICTURES_BEHIND:]:
            self._pictures.work(picture)
        self._wake_readers()
        for item in waiting:
            if isinstance(item, threading.Event):
                item.set()
        self.rounds += 1
        self.at_work = ""
        return None not in waiting


class SoundEncoder(Protocol):
    """`media.encoder.AacEncoder` or `OpusEncoder`."""

    def encode(self, pts: int, samples: Samples) -> list[EncodedPacket]: ...

    def flush(self) -> list[EncodedPacket]: ...


class SoundStage:
    """Encodes blocks of sound, in each form in turn."""

    name = "sound"

    def __init__(
        self,
        encoders: Mapping[str, SoundEncoder],
        publish: Publish,
        age: Callable[[int], int],
        is_wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        """encoders: by name. age(pts): how many samples the clock is past it. is_wanted(name):
        whether a block is to be encoded in this form.
        """
        self.meters = {name: Meter() for name in encoders}
        self.age_ms = Window()
        self._encoders = tuple(encoders.items())
        self._publish = publish
        self._age = age
        self._is_wanted = is_wanted

    def work(self, blocks: Sequence[TickBlock]) -> None:
        for name, encoder in self._encoders:
            if not self._is_wanted(name):
                continue
            with self.meters[name]:
                for block in blocks:
                    for packet in encoder.encode(block.pts, block.samples):
                        self._publish(packet)
        self.age_ms.add(self._age(blocks[0].pts) * _MS_PER_SAMPLE)

    def finish(self) -> None:
        for _, encoder in self._encoders:
            for packet in encoder.flush():
                self._publish(packet)


class PictureStage:
    """Composes every frame once and encodes it for the main rendition and, while used, the low one.

    made_pts: of the pictures of about the last 10 s.
    """

    name = "video"

    def __init__(
        self, composer: Composer, main: VideoEncoder, publish: Publish, age: Callable[[int], int]
    ) -> None:
        """age(pts): how many samples the clock is past it."""
        self.compose_meter, self.encode_meter, self.low_meter = Meter(), Meter(), Meter()
        self.publish_meter = Meter()
        self.age_ms = Window()
        self.made = 0
        self.made_pts: deque[int] = deque(maxlen=SAMPLE_RATE_HZ * 10 // TICK_SAMPLES)
        self._composer = composer
        self._main = main
        self._publish = publish
        self._age = age
        self._low: tuple[VideoEncoder, Picture] | None = None
        self._snapshots: deque[Future[Picture]] = deque(maxlen=4)

    def set_low(self, encoder: VideoEncoder | None) -> None:
        """Encode the low rendition too from the next picture on, or no more."""
        if encoder is None:
            self._low = None
        else:
            self._low = (encoder, empty_picture(encoder.spec.width_px, encoder.spec.height_px))

    def force_keyframes(self, frame: int) -> None:
        """The first picture of every rendition from `frame` on is a keyframe: the clock jumped."""
        low = self._low
        self._main.force_keyframe(frame)
        if low is not None:
            low[0].force_keyframe(frame)

    def request_keyframe(self, rendition: str) -> None:
        """Ask for a keyframe; of a rendition that is not encoded, nothing happens."""
        low = self._low
        if rendition == self._main.spec.id:
            self._main.request_keyframe()
        elif low is not None and rendition == low[0].spec.id:
            low[0].request_keyframe()

    def snapshot(self) -> Future[Picture]:
        """The next picture made, small: short side 180 px, I420."""
        future: Future[Picture] = Future()
        self._snapshots.append(future)
        return future

    def work(self, item: PictureDue) -> None:
        with self.compose_meter:
            picture = self._composer.compose(item.frame, item.generation)
        with self.encode_meter:
            packet = self._main.encode(picture, item.frame)
        with self.publish_meter:
            self._publish(packet)
        self.made += 1
        self.made_pts.append(packet.pts)
        self.age_ms.add(self._age(packet.pts) * _MS_PER_SAMPLE)
        self._encode_low(picture, item.frame)
        self._answer_snapshots(picture)

    def finish(self) -> None:
        """x264 without delay keeps nothing back; whoever waits for a snapshot gets none."""
        while self._snapshots:
            self._snapshots.popleft().cancel()

    def _encode_low(self, picture: Picture, frame: int) -> None:
        low = self._low
        if low is None:
            return
        encoder, canvas = low
        with self.low_meter:
            scale_picture(picture, canvas)
            self._publish(encoder.encode(canvas, frame))

    def _answer_snapshots(self, picture: Picture) -> None:
        while self._snapshots:
            rows, width = picture.shape
            size = fit_inside(width, rows * 2 // 3, short_side_px=_THUMBNAIL_SHORT_SIDE_PX)
            small = empty_picture(*size)
            scale_picture(picture, small)
            future = self._snapshots.popleft()
            if future.set_running_or_notify_cancel():
                future.set_result(small)
