"""Drive an asynchronous answer from a plain thread: it may be late, and it can be dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from inference.engines.base import EngineError

Item = TypeVar("Item")

# How soon a cancelled sentence stops while a server is silent.
_POLL_SECONDS: Final = 0.05
# A polite end of a connection must not hold up the sentence that comes next.
_CLOSE_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Deadlines:
    """first_seconds: until the first sound. whole_seconds: until the end; the worker has 20 s.
    pause_seconds: without anything new, once there was sound.

    With the first and the last a sentence comes from the next voice within 4 s.
    """

    first_seconds: float = 3.5
    whole_seconds: float = 15.0
    pause_seconds: float = 3.0


def drive(
    source: AsyncGenerator[Item, None],
    deadlines: Deadlines,
    is_sound: Callable[[Item], bool],
) -> Iterator[Item | None]:
    """The items as they come, None each 50 ms of waiting. Closing it drops the connection.

    Raises EngineError `voice_slow` at a deadline, and what the source raises.
    """
    loop = asyncio.new_event_loop()
    task: asyncio.Task[Item] | None = None
    clock = _Clock(deadlines)
    try:
        while True:
            task = task or loop.create_task(_next(source))
            loop.run_until_complete(asyncio.wait({task}, timeout=_POLL_SECONDS))
            clock.check(is_waiting=not task.done())
            if not task.done():
                yield None
                continue
            try:
                item = task.result()
            except StopAsyncIteration:
                return
            task = None
            clock.take(is_sound=is_sound(item))
            yield item
    finally:
        _drop(loop, task)


class _Clock:
    """Time of one answer."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._began = self._moved = time.monotonic()
        self._deadlines = deadlines
        self._has_sound = False

    def take(self, *, is_sound: bool) -> None:
        """Something new is here."""
        self._moved = time.monotonic()
        self._has_sound = self._has_sound or is_sound

    def check(self, *, is_waiting: bool) -> None:
        """Raises EngineError `voice_slow` at a deadline. is_waiting: nothing new is here."""
        now, limits = time.monotonic(), self._deadlines
        if not self._has_sound and now - self._began > limits.first_seconds:
            limit = limits.first_seconds
            raise _slow(f"The voice service gave no sound within {limit:g} s.")
        if self._has_sound and is_waiting and now - self._moved > limits.pause_seconds:
            limit = limits.pause_seconds
            raise _slow(f"The voice service stopped inside the sentence for {limit:g} s.")
        if now - self._began > limits.whole_seconds:
            limit = limits.whole_seconds
            raise _slow(f"The voice service had not finished the sentence after {limit:g} s.")


def _slow(message: str) -> EngineError:
    return EngineError("voice_slow", message)


async def _next(source: AsyncGenerator[Item, None]) -> Item:
    return await source.__anext__()


def _drop(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Item] | None) -> None:
    """End what runs, politely for 0.3 s each, and free the loop."""
    try:
        if task is not None:
            task.cancel()
            _settle(loop, task)
        # Also the generators inside the source, which its own end would leave to the collector.
        _settle(loop, loop.create_task(loop.shutdown_asyncgens()))
        loop.run_until_complete(asyncio.sleep(0))  # transports close on the next turn
    finally:
        loop.close()


def _settle(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    loop.run_until_complete(asyncio.wait({task}, timeout=_CLOSE_SECONDS))
    task.cancel()
    # Looked at, so that nobody warns of what it ended with.
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
