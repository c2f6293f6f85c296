"""Pictures from a face worker to the media core through shared memory, without a lock.

One writer (the worker), one reader (the core). A slot's payload is written first and its state
last; the reader copies a slot and then checks that its version did not change. Frame `n` always
goes to slot `n % slots`, so drawing it again (after an interrupt) replaces it.

The core writes the frame the clock stands at and the current generation into the header; the
worker draws at most `LEAD_FRAMES` ahead of it and never behind it.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

Picture = np.ndarray[Any, np.dtype[np.uint8]]

SLOTS: Final = 8
# What is told late is drawn again from the next frame on, so that a longer lead shows nothing old;
# but each of its frames is then drawn twice.
LEAD_FRAMES: Final = 5

_MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108  # rings are made with O_EXCL, mode 0600
_MAGIC: Final = 0x4C53_5247  # "LSRG"
_HEADER: Final = struct.Struct("<IIIIqq")  # magic, slots, width, height, clock frame, generation
_CLOCK: Final = struct.Struct("<qq")
_CLOCK_OFFSET: Final = 16
_SLOT: Final = struct.Struct("<qqq")  # version (odd while written), frame index, generation
_HEADER_BYTES: Final = 64
_SLOT_HEADER_BYTES: Final = 64


class RingError(Exception):
    """The shared memory is not the ring that was agreed on."""


def shared_memory_folder() -> Path:
    """Where rings live: memory-backed where the system has it."""
    return _MEMORY_FOLDER if sys.platform == "linux" else Path(tempfile.gettempdir())


def ring_path(broadcast: str, number: int) -> Path:
    """The file of a broadcast's n-th ring; the name lets orphans be found and removed."""
    return shared_memory_folder() / f"livestudio-{broadcast}-{number}.ring"


def remove_rings(broadcast: str) -> None:
    """Remove what a dead runner of this broadcast left; only its successor may call this."""
    for path in shared_memory_folder().glob(f"livestudio-{broadcast}-*.ring"):
        path.unlink(missing_ok=True)


class _Ring:
    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self._memory = memory
        magic, self.slots, self.width_px, self.height_px, _, _ = _HEADER.unpack_from(memory)
        if magic != _MAGIC:
            raise RingError(f"{path.name} is not a frame ring")
        self._picture_bytes = self.width_px * self.height_px * 3 // 2
        self._slot_bytes = _SLOT_HEADER_BYTES + self._picture_bytes
        self._pictures = [self._view(slot) for slot in range(self.slots)]

    def _view(self, slot: int) -> Picture:
        offset = _HEADER_BYTES + slot * self._slot_bytes + _SLOT_HEADER_BYTES
        flat = np.frombuffer(self._memory, np.uint8, self._picture_bytes, offset)
        return flat.reshape(self.height_px * 3 // 2, self.width_px)

    def _slot_offset(self, frame: int) -> int:
        return _HEADER_BYTES + (frame % int(self.slots)) * int(self._slot_bytes)

    def close(self) -> None:
        """Unmap; safe to call twice."""
        self._pictures = []
        self._memory.close()


class RingReader(_Ring):
    """The core's side: creates the memory, moves the clock, copies pictures out, unlinks."""

    @classmethod
    def create(cls, path: Path, *, width_px: int, height_px: int, slots: int = SLOTS) -> RingReader:
        """Make a new ring for even-sized I420 pictures. Raises OSError when memory is short."""
        size = _HEADER_BYTES + slots * (_SLOT_HEADER_BYTES + width_px * height_px * 3 // 2)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Reserve it now: a full /dev/shm is an error here and a SIGBUS later.
            os.posix_fallocate(descriptor, 0, size)
            memory = mmap.mmap(descriptor, size)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        _HEADER.pack_into(memory, 0, _MAGIC, slots, width_px, height_px, -1, 0)
        for slot in range(slots):
            offset = _HEADER_BYTES + slot * (_SLOT_HEADER_BYTES + width_px * height_px * 3 // 2)
            _SLOT.pack_into(memory, offset, 0, -1, -1)
        return cls(path, memory)

    def move_clock(self, frame: int, generation: int) -> None:
        """Tell the worker which frame is due now and which generation speaks."""
        _CLOCK.pack_into(self._memory, _CLOCK_OFFSET, frame, generation)

    def copy_frame(self, frame: int, out: Picture) -> int | None:
        """Copy frame `n` into out ((height * 3 // 2, width) uint8) and return its generation.

        None when it was not drawn, or was being redrawn while copied.
        """
        offset = self._slot_offset(frame)
        version, index, generation = _SLOT.unpack_from(self._memory, offset)
        if version % 2 or index != frame:
            return None
        np.copyto(out, self._pictures[frame % self.slots])
        if _SLOT.unpack_from(self._memory, offset)[0] != version:
            return None
        return int(generation)

    def unlink(self) -> None:
        """Remove the file; mapped pages live until both sides have closed."""
        self.path.unlink(missing_ok=True)


class RingWriter(_Ring):
    """The worker's side."""

    @classmethod
    def attach(cls, path: Path) -> RingWriter:
        """Map the core's ring. Raises OSError, RingError."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            return cls(path, mmap.mmap(descriptor, os.fstat(descriptor).st_size))
        finally:
            os.close(descriptor)

    def clock(self) -> tuple[int, int]:
        """(frame due now or -1 before the start, current generation)."""
        frame, generation = _CLOCK.unpack_from(self._memory, _CLOCK_OFFSET)
        return int(frame), int(generation)

    def begin_frame(self, frame: int) -> Picture:
        """The slot's picture to draw into; the reader refuses it until `end_frame`."""
        offset = self._slot_offset(frame)
        version = _SLOT.unpack_from(self._memory, offset)[0]
        _SLOT.pack_into(self._memory, offset, version | 1, frame, -1)
        picture: Picture = self._pictures[frame % self.slots]
        return picture

    def end_frame(self, frame: int, generation: int) -> None:
        """Hand the drawn picture over."""
        offset = self._slot_offset(frame)
        version = _SLOT.unpack_from(self._memory, offset)[0]
        _SLOT.pack_into(self._memory, offset, version | 1, frame, generation)
        struct.pack_into("<q", self._memory, offset, (version | 1) + 1)
