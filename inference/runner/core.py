"""The media core: clock, mixer, composer, encoders and fan-out, wired together.

    core = MediaCore(renditions, listener, idle_path=...)
    core.start()
    core.mixer.schedule(segment)            # sound
    core.attach_ring(ring)                  # pictures
    subscription = core.hub.subscribe("recording", {"video:main", "aac"})

Any thread may call it. The listener is called on the media threads: it must only hand over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from inference.media.clock import TICK_SAMPLES, MediaClock, TimeSource, prefer_this_thread
from inference.media.encoder import AacEncoder, OpusEncoder, VideoEncoder, VideoSettings
from inference.media.idle import IdleLoopError, open_idle_loop
from inference.media.measure import Meter, Window
from inference.media.overlay import OverlayPatch, OverlayStack, TimedOverlay
from inference.media.packets import EncodedPacket, StreamHeaders
from inference.media.picture import fit_inside, jpeg_picture
from inference.media.ring import Picture
from inference.protocol import SAMPLE_RATE_HZ, RenditionSpec
from inference.runner.compose import Composer, FrameSource, IdleFrames
from inference.runner.encode import (
    EncodingThread,
    PictureDue,
    PictureStage,
    SoundEncoder,
    SoundStage,
)
from inference.runner.fanout import Hub
from inference.runner.mixer import Interruption, Mixer, MixerListener, QuietListener

logger = logging.getLogger(__name__)

LOW_RENDITION: Final = "low"
LOW_SHORT_SIDE_PX: Final = 360
LOW_BITRATE_KBPS: Final = 600
THUMBNAIL_LIMIT_BYTES: Final = 20_000
_MS_PER_SAMPLE: Final = 1000 / SAMPLE_RATE_HZ
_PAIR_SAMPLES: Final = 2 * TICK_SAMPLES


class CoreError(Exception):
    """The core cannot do what it was asked for; the text says why."""


class CoreListener(MixerListener, Protocol):
    """What the core tells, on its own threads."""

    def first_frame(self, pts: int) -> None:
        """The first coded picture was handed to the outputs."""

    def rebased(self, gap_samples: int, interruption: Interruption) -> None:
        """The machine had stood still: pts jumped, the sentence was cut and must be said again."""

    def failed(self, stage: str, error: Exception) -> None:
        """A media thread ended; the broadcast cannot go on in this process."""


class QuietCoreListener(QuietListener):
    """Listens to nothing; a base to override single methods of."""

    def first_frame(self, pts: int) -> None: ...

    def rebased(self, gap_samples: int, interruption: Interruption) -> None: ...

    def failed(self, stage: str, error: Exception) -> None: ...


class MediaCore:
    """One broadcast's media. Parts to use directly: `mixer`, `hub`, `overlays`."""

    def __init__(
        self,
        renditions: Sequence[RenditionSpec],
        listener: CoreListener,
        *,
        idle_path: Path | None = None,
        time_source: TimeSource | None = None,
        settings: VideoSettings | None = None,
        start_sample: int = 0,
    ) -> None:
        """Raises CoreError, EncoderError. idle_path: a missing or wrong loop is logged and replaced
        by a plain background. start_sample: where the clock begins, a whole number of ticks."""
        self.spec = _only_rendition(renditions)
        self._listener = listener
        self._settings = settings or VideoSettings()
        self.mixer = Mixer(listener, start_sample=start_sample)
        self.overlays = OverlayStack()
        self.clock = MediaClock(
            self._tick, self._rebase, time_source,
            start_sample=start_sample, period_samples=_period(self.spec),
        )  # fmt: skip
        self._composer = Composer(self.spec, self.overlays)
        self._build_stages()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run_clock, name="media-tick", daemon=True)
        self._low_lock = threading.Lock()
        self._low_users = 0
        self._low_encoder: VideoEncoder | None = None
        self._next_frame = -(-start_sample // self.spec.frame_samples)
        self._told_generation = -1
        self._skipped = self._rebases = 0
        self._has_first_frame = False
        self._tick_meter, self._late_ms = Meter(), Window()
        self._priority = "normal"
        self.has_damaged_idle_loop = False
        if idle_path is not None:
            self._open_idle(idle_path)

    def start(self) -> None:
        """Begin with the first sample now."""
        self._encoding.start()
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> bool:
        """End after the current tick: what was mixed is encoded and delivered, then the hub closes.

        False when a thread did not end in time and was left behind.
        """
        deadline = time.monotonic() + timeout_seconds
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        self.mixer.close()
        has_ended = self._encoding.stop(max(0.0, deadline - time.monotonic()))
        self.hub.close()
        return has_ended and not self._thread.is_alive()

    def settle(self) -> None:
        """Wait until what was mixed so far is encoded (for time that runs faster)."""
        self._encoding.settle()

    # --- pictures

    def attach_ring(self, ring: FrameSource) -> FrameSource | None:
        """Show this worker's pictures; the ring used before, to be closed. WrongSizeError."""
        before = self._composer.attach(ring)
        self._composer.move_clock(self._next_frame, self.mixer.generation)
        return before

    def detach_ring(self) -> FrameSource | None:
        """Show the idle loop instead; the ring is no longer touched and may be closed."""
        return self._composer.detach()

    def set_idle(self, idle: IdleFrames) -> None:
        """Play this loop when there is no worker. Raises WrongSizeError."""
        self._composer.set_idle(idle)

    def set_still(self, picture: Picture) -> None:
        """Show this instead of a plain background where there is no loop. WrongSizeError."""
        self._composer.set_still(picture)

    def add_caption(
        self,
        patch: OverlayPatch,
        from_sample: int,
        until_sample: int | None,
        generation: int | None = None,
        owner: str = "",
    ) -> None:
        """Show a caption in its time. generation: an interrupt that raises it takes it away."""
        timed = TimedOverlay(patch, from_sample, until_sample, generation, owner)
        self.overlays.put("caption", timed)

    def drop_captions(self, owner: str) -> None:
        """Take away the captions of a line that was taken back."""
        self.overlays.drop("caption", owner)

    def thumbnail(self, timeout_seconds: float = 1.0) -> bytes | None:
        """The next picture as a small JPEG of at most 20 kB; None when none comes. Blocks."""
        try:
            small = self._pictures.snapshot().result(timeout_seconds)
        except (TimeoutError, CancelledError):
            return None
        return jpeg_picture(small, limit_bytes=THUMBNAIL_LIMIT_BYTES)

    # --- renditions

    def headers(self, rendition: str | None = None) -> StreamHeaders:
        """What a container needs, of the main rendition or, while acquired, the low one."""
        if rendition in (None, self.spec.id):
            return self._main.headers(self._aac_encoder.config)
        low = self._low_encoder
        if rendition != LOW_RENDITION or low is None:
            raise CoreError(f"rendition {rendition} is not encoded")
        return low.headers(self._aac_encoder.config)

    def acquire_rendition(self, rendition: str) -> StreamHeaders:
        """Have a rendition encoded until as many `release_rendition` as `acquire_rendition` came.

        Raises CoreError for one that does not exist. Takes some ms the first time.
        """
        if rendition == LOW_RENDITION:
            with self._low_lock:
                if self._low_encoder is None:
                    self._low_encoder = VideoEncoder(self._low_spec(), self._settings)
                    self._pictures.set_low(self._low_encoder)
                self._low_users += 1
        return self.headers(rendition)

    def release_rendition(self, rendition: str) -> None:
        """One user less; without users the low rendition is no longer encoded."""
        if rendition != LOW_RENDITION:
            return
        with self._low_lock:
            if self._low_users == 0:
                raise CoreError("the low rendition was released more often than acquired")
            self._low_users -= 1
            if self._low_users == 0:
                self._low_encoder = None
                self._pictures.set_low(None)

    # --- figures

    @property
    def pictures_drawn(self) -> int:
        """Pictures shown so far that came from a face worker, in time or late."""
        return self._composer.counts["worker"] + self._composer.late

    @property
    def encoding(self) -> tuple[int, str]:
        """Rounds that the encoders have made, and the part that works now; empty = they wait."""
        return self._encoding.rounds, self._encoding.at_work

    def metrics(self) -> dict[str, Any]:
        """Figures since the start, times over about the last 10 s; JSON values only."""
        pictures, position = self._pictures, self.mixer.position
        underruns, silent_samples = self.mixer.underruns
        return {
            "media_time_ms": round(position * _MS_PER_SAMPLE),
            "clock": self._clock_pair(),
            "generation": self.mixer.generation,
            "fps": sum(pts >= position - SAMPLE_RATE_HZ for pts in pictures.made_pts.copy()),
            "frames": pictures.made,
            "held": self._composer.counts["held"],
            "late": self._composer.late,
            "idle": self._composer.counts["idle"],
            "dropped": self._skipped + self._encoding.pictures_dropped,
            "sound_dropped": self._encoding.sound_dropped,
            "underruns": underruns,
            "underrun_ms": round(silent_samples * _MS_PER_SAMPLE),
            "rebases": self._rebases,
            "source": self._composer.last_source,
            "priority": self._priority,
            **self._times_ms(),
            "cpu_ms_per_frame": self._cpu_ms_per_frame(),
            "readers": {name: asdict(stats) for name, stats in self.hub.stats().items()},
        }

    def _clock_pair(self) -> dict[str, float]:
        """Media and wall clock at one moment: by it a reader elsewhere can tell its delay."""
        media_ms, unix_ms = self.clock.now_samples() * _MS_PER_SAMPLE, time.time() * 1000
        return {"media_ms": round(media_ms, 2), "unix_ms": round(unix_ms, 2)}

    def _times_ms(self) -> dict[str, float]:
        pictures = self._pictures
        # How much later than sound pictures leave. Their timestamps agree: players see none of it.
        skew = pictures.age_ms.percentile(0.95) - self._sound.age_ms.mean()
        values = {
            "compose_ms": pictures.compose_meter.wall_ms.mean(),
            "encode_ms": pictures.encode_meter.wall_ms.mean(),
            "encode_ms_p99": pictures.encode_meter.wall_ms.percentile(0.99),
            "tick_late_ms_p99": self._late_ms.percentile(0.99),
            "tick_late_ms_max": self._late_ms.percentile(1.0),
            "skew_ms": skew,
        }
        return {name: round(value, 2) for name, value in values.items()}

    def _cpu_ms_per_frame(self) -> dict[str, float]:
        pictures = self._pictures
        meters = {
            "tick": self._tick_meter,
            "compose": pictures.compose_meter,
            "h264": pictures.encode_meter,
            "h264_low": pictures.low_meter,
            "publish": pictures.publish_meter,
            **self._sound.meters,
        }
        frames = max(1, pictures.made)
        return {name: round(meter.cpu_ms / frames, 3) for name, meter in meters.items()}

    # --- inside

    def _build_stages(self) -> None:
        self._main = VideoEncoder(self.spec, self._settings)
        self._aac_encoder = AacEncoder()
        self._pictures = PictureStage(self._composer, self._main, self._publish_picture, self._age)
        self.hub = Hub(self._pictures.request_keyframe)
        encoders: dict[str, SoundEncoder] = {"opus": OpusEncoder(), "aac": self._aac_encoder}
        self._sound = SoundStage(encoders, self._publish, self._age, self._is_heard)
        self._encoding = EncodingThread(
            self._sound, self._pictures, self.hub.wake_readers, self._listener.failed
        )

    def _run_clock(self) -> None:
        self._priority = prefer_this_thread(real_time=True)
        try:
            self.clock.run(self._stopping)
        except Exception as error:
            logger.exception("the media clock failed")
            self._listener.failed("tick", error)

    def _tick(self, sample: int, late_samples: int) -> None:
        with self._tick_meter:
            end = sample + self.clock.step
            blocks = [self.mixer.pull(at) for at in range(sample, end, TICK_SAMPLES)]
            self._late_ms.add(late_samples * _MS_PER_SAMPLE)
            picture = self._due_picture(sample, late_samples, blocks[0].generation)
            self._encoding.put(blocks, picture)

    def _due_picture(self, sample: int, late_samples: int, generation: int) -> PictureDue | None:
        frame = sample // self.spec.frame_samples
        is_due = frame >= self._next_frame
        if is_due or generation != self._told_generation:
            self._composer.move_clock(frame, generation)
            self._told_generation = generation
        if not is_due:
            return None
        self._next_frame = frame + 1
        if late_samples > self.spec.frame_samples:
            self._skipped += 1
            return None
        return PictureDue(frame, generation)

    def _rebase(self, sample: int, gap_samples: int) -> None:
        self._rebases += 1
        self._next_frame = -(-sample // self.spec.frame_samples)
        self._pictures.force_keyframes(self._next_frame)
        interruption = self.mixer.rebase(sample)
        self._listener.rebased(gap_samples, interruption)

    def _age(self, pts: int) -> int:
        return self.clock.now_samples() - pts

    def _is_heard(self, stream: str) -> bool:
        """Opus is for viewers alone, and one who joins hears it from any packet on. AAC is always
        made: an output that connects needs some from before its first picture.
        """
        return stream != "opus" or self.hub.is_read(stream)

    def _publish(self, packet: EncodedPacket) -> None:
        self.hub.deliver(packet)

    def _publish_picture(self, packet: EncodedPacket) -> None:
        self.hub.deliver(packet)
        if not self._has_first_frame:
            self._has_first_frame = True
            self._listener.first_frame(packet.pts)

    def _open_idle(self, path: Path) -> None:
        try:
            self._composer.set_idle(open_idle_loop(path))
        except (IdleLoopError, ValueError) as error:
            logger.warning("no idle loop, a plain background instead", extra={"reason": str(error)})
            self.has_damaged_idle_loop = True

    def _low_spec(self) -> RenditionSpec:
        size = fit_inside(self.spec.width_px, self.spec.height_px, short_side_px=LOW_SHORT_SIDE_PX)
        return RenditionSpec(LOW_RENDITION, *size, self.spec.frame_samples, LOW_BITRATE_KBPS)


def _period(spec: RenditionSpec) -> int:
    """The samples for which the tick wakes once: a picture's sound at 25 pictures a second.

    A wake costs more than what it is for (docs/adr/0052). At other rates pictures would be late.
    """
    return _PAIR_SAMPLES if spec.frame_samples % _PAIR_SAMPLES == 0 else TICK_SAMPLES


def _only_rendition(renditions: Sequence[RenditionSpec]) -> RenditionSpec:
    if len(renditions) != 1:
        raise CoreError(f"one rendition is possible for now, not {len(renditions)}")
    if renditions[0].id == LOW_RENDITION:
        raise CoreError("the rendition name `low` is taken by the rung for weak viewers")
    return renditions[0]
