"""Compose the picture of a frame: the face worker's, else the last one held, else the idle loop."""

from __future__ import annotations

import threading
from typing import Final, Literal, Protocol

import cv2
import numpy as np

from inference.media.overlay import OverlayStack
from inference.media.picture import empty_picture, plain_background, planes
from inference.media.ring import Picture
from inference.protocol import SAMPLE_RATE_HZ, RenditionSpec

Source = Literal["worker", "held", "idle"]

HOLD_SAMPLES: Final = SAMPLE_RATE_HZ // 5  # 200 ms
FADE_SAMPLES: Final = SAMPLE_RATE_HZ * 11 // 100  # 110 ms: 100-120 ms in whole frames


class FrameSource(Protocol):
    """Where a worker's pictures come from; `media.ring.RingReader` is one."""

    width_px: int
    height_px: int

    def move_clock(self, frame: int, generation: int) -> None: ...

    def copy_frame(self, frame: int, out: Picture) -> int | None: ...


class IdleFrames(Protocol):
    """Pictures to show without a worker; `media.idle.IdleLoop` is one."""

    @property
    def width_px(self) -> int: ...

    @property
    def height_px(self) -> int: ...

    def frame(self, index: int) -> Picture: ...


class WrongSizeError(ValueError):
    """A ring or idle loop has another picture size than the rendition."""


class PlainBackground:
    """Stands in for an idle loop that is not there."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px = width_px
        self.height_px = height_px
        self._picture = plain_background(width_px, height_px)

    def frame(self, index: int) -> Picture:
        """The same picture for every index."""
        return self._picture


class Composer:
    """Chooses and finishes pictures. The picture thread composes; any thread attaches and detaches.

    counts: pictures shown by source since the start.
    """

    def __init__(self, spec: RenditionSpec, overlays: OverlayStack) -> None:
        self._spec = spec
        self._overlays = overlays
        self._lock = threading.Lock()
        self._source: FrameSource | None = None
        self._idle: IdleFrames = PlainBackground(spec.width_px, spec.height_px)
        self._hold_frames = HOLD_SAMPLES // spec.frame_samples
        self._fade_frames = max(1, round(FADE_SAMPLES / spec.frame_samples))
        self._buffers = [empty_picture(spec.width_px, spec.height_px) for _ in range(3)]
        self._shown: Picture | None = None  # the last picture, without overlays
        self._fade_from: Picture | None = None
        self._fade_step = 0
        self._last_source: Source = "idle"
        self._last_worker_frame = 0
        self.counts: dict[Source, int] = {"worker": 0, "held": 0, "idle": 0}

    @property
    def last_source(self) -> Source:
        """What the last picture came from."""
        return self._last_source

    def attach(self, source: FrameSource) -> FrameSource | None:
        """Show this worker's pictures from the next frame on; the one before it, to be closed.

        Raises WrongSizeError.
        """
        self._check_size(source.width_px, source.height_px)
        with self._lock:
            before, self._source = self._source, source
        return before

    def detach(self) -> FrameSource | None:
        """Use the source no more, not even in this moment; it may be closed."""
        with self._lock:
            before, self._source = self._source, None
        return before

    def set_idle(self, idle: IdleFrames) -> None:
        """Play this loop when there is no worker. Raises WrongSizeError."""
        self._check_size(idle.width_px, idle.height_px)
        self._idle = idle

    def move_clock(self, frame: int, generation: int) -> None:
        """Tell the worker what is due. Called by the tick thread."""
        with self._lock:
            if self._source is not None:
                self._source.move_clock(frame, generation)

    def compose(self, frame: int, generation: int, out: Picture) -> Source:
        """Fill out, (height * 3 // 2, width) uint8 I420, with picture number `frame`.

        A picture of a generation older than `generation` is not shown.
        """
        source = self._choose(frame, generation)
        assert self._shown is not None
        np.copyto(out, self._shown)
        target = planes(out)
        for patch in self._overlays.due(frame * self._spec.frame_samples, generation):
            patch.paste(target)
        self.counts[source] += 1
        self._last_source = source
        return source

    def _choose(self, frame: int, generation: int) -> Source:
        fresh = self._free_buffer()
        if self._copy_from_worker(frame, generation, fresh):
            self._last_worker_frame = frame
            self._show(fresh, fresh, changed=self._last_source == "idle")
            return "worker"
        if self._may_hold(frame):
            return "held"
        changed = self._last_source != "idle"
        self._show(self._idle.frame(frame), fresh, changed=changed)
        return "idle"

    def _copy_from_worker(self, frame: int, generation: int, fresh: Picture) -> bool:
        with self._lock:
            drawn = None if self._source is None else self._source.copy_frame(frame, fresh)
        return drawn is not None and drawn >= generation

    def _may_hold(self, frame: int) -> bool:
        if self._source is None or self._last_source == "idle":
            return False
        return frame - self._last_worker_frame <= self._hold_frames

    def _show(self, picture: Picture, mixed: Picture, *, changed: bool) -> None:
        """Make it the shown picture; in `mixed`, with the one before, while a change fades over."""
        if changed and self._shown is not None:
            self._fade_from, self._fade_step = self._shown, 0
        self._fade_step += 1
        if self._fade_from is None or self._fade_step >= self._fade_frames:
            self._fade_from = None
            self._shown = picture
            return
        share = self._fade_step / self._fade_frames
        cv2.addWeighted(self._fade_from, 1 - share, picture, share, 0, dst=mixed)
        self._shown = mixed

    def _free_buffer(self) -> Picture:
        """One that holds neither the shown picture nor the one a fade starts from."""
        used = (self._shown, self._fade_from)
        return next(b for b in self._buffers if all(b is not other for other in used))

    def _check_size(self, width_px: int, height_px: int) -> None:
        wanted = (self._spec.width_px, self._spec.height_px)
        if (width_px, height_px) != wanted:
            raise WrongSizeError(
                f"pictures of {width_px}x{height_px} do not fit rendition {self._spec.id} "
                f"of {wanted[0]}x{wanted[1]}"
            )
