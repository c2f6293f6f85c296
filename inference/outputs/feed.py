"""Passes packets on to a child's pipe from the thread that made them, without ever waiting.

A thread per output costs more than the writing: each packet wakes it, and it wakes the child. Only
when the pipe is full does the event loop wait for room; the source drops meanwhile, by its rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
import threading
import time
from typing import Final

from inference.media.packets import EncodedPacket, pack_packet

from .base import PacketSource

_LOOK_SECONDS: Final = 0.02
# At 25 pictures a second one or two blocks of sound come with each; more than two never wait.
_SOUNDS_HELD: Final = 2
_COLLECTED_BYTES: Final = 1 << 19
_TOGETHER_BYTES: Final = 1 << 14


class PipeFeed:
    """Feeds one pipe from one source. Made, drained and closed on the event loop."""

    def __init__(
        self, descriptor: int, source: PacketSource, *, every_seconds: float = 0.0
    ) -> None:
        """descriptor: the write end, which the caller closes after `end`.

        every_seconds: collect packets for so long, for a child that is in no hurry.
        """
        os.set_blocking(descriptor, False)
        if every_seconds and sys.platform == "linux":
            with contextlib.suppress(
                OSError
            ):  # a user may own only so much; then it waits for room
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _COLLECTED_BYTES)
        self._descriptor = descriptor
        self._source = source
        self._loop = asyncio.get_running_loop()
        # Every encoder thread comes here, and the loop.
        self._lock = threading.Lock()
        self._rest = memoryview(b"")
        self._waits_for_room = self._is_over = self._is_closing = False
        self._every_seconds = every_seconds
        self._waiting_sounds = 0
        self._due_at = 0.0
        self._dropped_seen = 0
        source.listen(self._arrived)
        self._pump()

    def take_dropped(self) -> int:
        """Packets dropped since the last call."""
        dropped = self._source.dropped - self._dropped_seen
        self._dropped_seen += dropped
        return dropped

    async def drain(self, timeout_seconds: float) -> None:
        """Let a child that is behind catch up: until all there is is written, or for so long."""
        deadline = time.monotonic() + timeout_seconds
        while self._waits_for_room and time.monotonic() < deadline:  # noqa: ASYNC110  # a thread sets it
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Take nothing more from the source than what already waits."""
        self._is_closing = True
        self._source.close()
        self._pump()

    def end(self) -> None:
        """Write nothing more."""
        with self._lock:
            self._is_over = True
        self._loop.remove_writer(self._descriptor)

    def _arrived(self, packet: EncodedPacket | None) -> None:
        """Sound waits for the picture that follows it, unless none comes: one wake for both."""
        if packet is not None and packet.stream == "aac" and self._waiting_sounds < _SOUNDS_HELD:
            self._waiting_sounds += 1
            return
        self._waiting_sounds = 0
        self._pump()

    def _pump(self) -> None:
        """Write what the pipe takes."""
        with self._lock:
            if self._waits_for_room or self._is_over or not self._is_due():
                return
            try:
                self._write_all()
            except BlockingIOError:
                self._waits_for_room = True
            except (OSError, EOFError):
                self._is_over = True  # the child or the hub has ended; the child's own end tells
        if self._waits_for_room:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the output
                self._loop.call_soon_threadsafe(self._await_room)

    def _is_due(self) -> bool:
        if not self._every_seconds or self._is_closing:
            return True
        now = time.monotonic()
        if now < self._due_at:
            return False
        self._due_at = now + self._every_seconds
        return True

    def _write_all(self) -> None:
        while True:
            while self._rest:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            together = self._take_some()
            if not together:
                return
            self._rest = memoryview(together)

    def _take_some(self) -> bytes:
        """What waits, about as much as is written at once: the rest stays with the source, which
        drops by its rules. One write wakes the child once, and lets go of the interpreter once.
        """
        taken, size = [], 0
        try:
            while size < _TOGETHER_BYTES and (packet := self._source.take()) is not None:
                taken.append(pack_packet(packet))
                size += len(packet.data)
        except EOFError:
            if not taken:
                raise
        return b"".join(taken)

    def _await_room(self) -> None:
        if not self._is_over:
            self._loop.add_writer(self._descriptor, self._room)

    def _room(self) -> None:
        self._loop.remove_writer(self._descriptor)
        self._waits_for_room, self._due_at = False, 0.0
        self._pump()
