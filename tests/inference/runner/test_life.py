"""The life pipe tells when the parent of everything is gone."""

from __future__ import annotations

import asyncio
import os

from inference.runner.life import LifePipe


async def test_end_of_file_is_reported_once() -> None:
    read_end, write_end = os.pipe()
    ended = asyncio.Event()
    count = 0

    def on_end() -> None:
        nonlocal count
        count += 1
        ended.set()

    pipe = LifePipe(read_end, on_end)
    pipe.watch()
    await asyncio.sleep(0)
    assert not ended.is_set()

    os.close(write_end)
    async with asyncio.timeout(60):
        await ended.wait()
    await asyncio.sleep(0.01)

    assert count == 1
    pipe.close()


async def test_closed_watch_reports_nothing() -> None:
    read_end, write_end = os.pipe()
    calls: list[int] = []
    pipe = LifePipe(read_end, lambda: calls.append(1))
    pipe.watch()

    pipe.close()
    os.close(write_end)
    await asyncio.sleep(0.01)

    assert calls == []
