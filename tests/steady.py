"""Tests in real time, on machines that may stand still.

A runner whose clock is more than half a second late jumps with it, says so and repeats the sentence
(docs/operate.md). A test that knows every sentence by number has then measured the machine: it is
made once more, and the summary of the test run says so. Without such a witness it simply fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

TRIES = 3
LATE_MS = 250
_LOOK_SECONDS = 0.05

REPEATED: list[str] = []
_gaps_ms: list[int] = []


def note_gap(milliseconds: int) -> None:
    """A clock of a test in real time was so late."""
    _gaps_ms.append(milliseconds)


@contextlib.asynccontextmanager
async def noting_gaps() -> AsyncIterator[None]:
    """Notes when the event loop of the test itself comes late."""

    async def look() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            late_ms = round((loop.time() - due) * 1000)
            if late_ms > LATE_MS:
                note_gap(late_ms)

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def repeated_if_late(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """For a test with `tmp_path`: made again, in a new folder, if a clock was late as it failed."""

    @functools.wraps(test)
    async def repeated(*, tmp_path: Path, **fixtures: Any) -> None:
        for number in range(1, TRIES + 1):
            _gaps_ms.clear()
            folder = tmp_path / str(number)
            folder.mkdir()
            try:
                await test(tmp_path=folder, **fixtures)
            except (AssertionError, TimeoutError) as error:
                if not _gaps_ms or number == TRIES:
                    raise
                REPEATED.append(
                    f"{test.__name__}: the machine stood still for {max(_gaps_ms)} ms; "
                    f"it had failed with {type(error).__name__}: {str(error)[:200]}"
                )
            else:
                return

    return repeated
