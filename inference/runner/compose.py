"""Compose the picture of a frame: the face worker's, else the last one held, else the idle loop."""

from __future__ import annotations

import threading
from typing import Final, Literal, Protocol

import cv2
import numpy as np

from inference.media.overlay import Covered, OverlayPatch, OverlayStack
from inference.media.picture import empty_picture, plain_background, planes
from inference.media.ring import Picture
from inference.protocol import SAMPLE_RATE_HZ, RenditionSpec

Source = Literal["worker", "held", "idle"]

HOLD_SAMPLES: Final = SAMPLE_RATE_HZ // 5  # 200 ms
# A presenter of ten pictures a second would be left for the loop after two late ones.
HOLD_FRAMES: Final = 5
# A picture that is ready only after it was due is better than the one before it. The ring still has
# so many of a worker that is late: it has drawn nothing ahead that would have taken their slots.
LATE_FRAMES: Final = 4
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


class StillPicture:
    """Stands in for an idle loop that is not there. picture: (height * 3 // 2, width) I420."""

    def __init__(self, picture: Picture) -> None:
        self.width_px = int(picture.shape[1])
        self.height_px = int(picture.shape[0]) * 2 // 3
        self._picture = picture

    def frame(self, index: int) -> Picture:
        """The same picture for every index."""
        return self._picture


class _Canvas:
    """A picture that remembers what its overlays cover: cheaper than a second whole picture."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.picture = empty_picture(width_px, height_px)
        self._planes = planes(self.picture)
        self._covered: list[tuple[OverlayPatch, Covered]] = []

    def cover(self, patches: list[OverlayPatch]) -> None:
        self._covered = [(patch, patch.paste(self._planes)) for patch in patches]

    def uncover(self) -> None:
        for patch, covered in reversed(self._covered):
            patch.uncover(self._planes, covered)
        self._covered = []


class Composer:
    """Chooses and finishes pictures. The picture thread composes; any thread attaches and detaches.

    counts: pictures shown by source since the start. last_source: of the last one. late: of those
    that count as held, how many were the worker's own of a moment before.
    """

    def __init__(self, spec: RenditionSpec, overlays: OverlayStack) -> None:
        self._spec = spec
        self._overlays = overlays
        # Two locks: the tick must not wait while the picture thread copies a picture.
        self._copy_lock = threading.Lock()
        self._clock_lock = threading.Lock()
        self._source: FrameSource | None = None
        self._idle: IdleFrames = StillPicture(plain_background(spec.width_px, spec.height_px))
        self._has_loop = False
        self._hold_frames = max(HOLD_SAMPLES // spec.frame_samples, HOLD_FRAMES)
        self._fade_frames = max(1, round(FADE_SAMPLES / spec.frame_samples))
        self._canvases = [_Canvas(spec.width_px, spec.height_px) for _ in range(3)]
        self._shown: _Canvas | None = None
        self._fade_from: _Canvas | None = None
        self._fade_step = 0
        self.last_source: Source = "idle"
        # The worker's newest picture that was shown, and when it came.
        self._last_drawn = -1
        self._last_worker_frame = 0
        self.late = 0
        self.counts: dict[Source, int] = {"worker": 0, "held": 0, "idle": 0}

    def attach(self, source: FrameSource) -> FrameSource | None:
        """Show this worker's pictures from the next frame on; the one before it, to be closed.

        Raises WrongSizeError.
        """
        self._check_size(source.width_px, source.height_px)
        return self._replace(source)

    def detach(self) -> FrameSource | None:
        """Use the source no more, not even in this moment; it may be closed."""
        return self._replace(None)

    def set_idle(self, idle: IdleFrames) -> None:
        """Play this loop when there is no worker. Raises WrongSizeError."""
        self._check_size(idle.width_px, idle.height_px)
        self._idle, self._has_loop = idle, True

    def set_still(self, picture: Picture) -> None:
        """Show this where there is no loop, until a worker has drawn. Raises WrongSizeError."""
        still = StillPicture(picture)
        self._check_size(still.width_px, still.height_px)
        if not self._has_loop:
            self._idle = still

    def move_clock(self, frame: int, generation: int) -> None:
        """Tell the worker what is due. Called by the tick thread."""
        with self._clock_lock:
            if self._source is not None:
                self._source.move_clock(frame, generation)

    def compose(self, frame: int, generation: int) -> Picture:
        """Picture number `frame` with its overlays, (height * 3 // 2, width) uint8 I420.

        It is valid until the next call. One of a generation older than `generation` is not shown.
        """
        canvas = self._choose(frame, generation)
        canvas.cover(self._overlays.due(frame * self._spec.frame_samples, generation))
        self._shown = canvas
        is_late = self.last_source == "worker" and self._last_drawn < frame
        self.late += is_late
        self.counts["held" if is_late else self.last_source] += 1
        return canvas.picture

    def _choose(self, frame: int, generation: int) -> _Canvas:
        """The canvas with the picture of this frame, no overlays on it."""
        canvas = self._free_canvas()
        if self._copy_from_worker(frame, generation, canvas.picture):
            self._last_worker_frame = frame
            return self._fade("worker", canvas)
        if self._may_hold(frame):
            self.last_source = "held"
            assert self._shown is not None
            self._shown.uncover()
            return self._shown
        np.copyto(canvas.picture, self._idle.frame(frame))
        return self._fade("idle", canvas)

    def _replace(self, source: FrameSource | None) -> FrameSource | None:
        with self._copy_lock, self._clock_lock:
            before, self._source = self._source, source
            self._last_drawn = -1
        return before

    def _copy_from_worker(self, frame: int, generation: int, out: Picture) -> bool:
        """The picture that is due, or the newest one that came too late and was not shown yet."""
        oldest = max(frame - LATE_FRAMES, self._last_drawn + 1) if self._last_drawn >= 0 else frame
        with self._copy_lock:
            if self._source is None:
                return False
            for number in range(frame, min(oldest, frame) - 1, -1):
                drawn = self._source.copy_frame(number, out)
                if drawn is not None and drawn >= generation:
                    self._last_drawn = number
                    return True
        return False

    def _may_hold(self, frame: int) -> bool:
        if self.last_source == "idle":
            return False
        if not self._has_loop:
            return True  # a presenter who stands still is better than an empty studio
        if self._source is None:
            return False
        return frame - self._last_worker_frame <= self._hold_frames

    def _fade(self, source: Source, canvas: _Canvas) -> _Canvas:
        """Mix with what was shown before, while a change between worker and loop fades over."""
        changed = (source == "idle") != (self.last_source == "idle")
        self.last_source = source
        if changed and self._shown is not None:
            self._shown.uncover()
            self._fade_from, self._fade_step = self._shown, 0
        self._fade_step += 1
        if self._fade_from is None or self._fade_step >= self._fade_frames:
            self._fade_from = None
            return canvas
        share = self._fade_step / self._fade_frames
        before, after = self._fade_from.picture, canvas.picture
        cv2.addWeighted(before, 1 - share, after, share, 0, dst=after)
        return canvas

    def _free_canvas(self) -> _Canvas:
        """One that holds neither the shown picture nor the one a fade starts from."""
        used = (self._shown, self._fade_from)
        return next(canvas for canvas in self._canvases if canvas not in used)

    def _check_size(self, width_px: int, height_px: int) -> None:
        wanted = (self._spec.width_px, self._spec.height_px)
        if (width_px, height_px) != wanted:
            raise WrongSizeError(
                f"pictures of {width_px}x{height_px} do not fit rendition {self._spec.id} "
                f"of {wanted[0]}x{wanted[1]}"
            )
