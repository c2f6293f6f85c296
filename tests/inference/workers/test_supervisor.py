"""A worker that cannot start is told of."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

from inference.workers.supervisor import WorkerProcess
from inference.workers.wire import Json


async def states_of(count: int, first_message: Callable[[], Json]) -> list[str]:
    """What is told of a worker until so much was told."""
    told: list[str] = []
    enough = asyncio.Event()

    def tell(state: str, pid: int, reason: str) -> None:
        told.append(f"{state}: {reason}")
        if len(told) == count:
            enough.set()

    worker = WorkerProcess(
        "test",
        "inference.workers.face",
        on_message=lambda header, payload: None,
        on_started=lambda: None,
        on_state=tell,
        first_message=first_message,
    )
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            await enough.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await worker.close()
    return told


async def test_worker_that_cannot_start_is_told_once_for_one_reason() -> None:
    tries = 0

    def no_memory() -> Json:
        nonlocal tries
        tries += 1
        reason = "No space left on device" if tries < 4 else "Permission denied"
        raise OSError(errno.ENOSPC, reason)

    told = await states_of(2, no_memory)

    assert told == [
        "died: cannot start: No space left on device",
        "died: cannot start: Permission denied",
    ]


async def test_worker_that_is_being_started_ends_with_the_others() -> None:
    told: list[str] = []
    worker = WorkerProcess(
        "test",
        "inference.workers.speech",
        on_message=lambda header, payload: None,
        on_started=lambda: None,
        on_state=lambda state, pid, reason: told.append(state),
    )
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)

    await worker.close()

    async with asyncio.timeout(20):
        await running
    assert told == ["ended"]
