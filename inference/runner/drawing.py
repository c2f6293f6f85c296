"""The one thread of the core that draws: captions, cards, clock, thumbnails.

Off the loop, and not on its pool: another thread of that would draw each time, and each keeps an
arena of the allocator as large as its largest drawing was, so a broadcast would grow for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="drawing")


async def draw(drawing: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What `drawing` returns or raises, after those that were asked for before."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, partial(drawing, *args, **options))
