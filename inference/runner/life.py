"""The life pipe: a runner drains and exits when the parent of everything is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable


class LifePipe:
    """Watches the read end of a pipe whose only writer is `manage.py up`; nothing is ever written.

    The kernel closes the write end however the parent dies, `kill -9` included.
    """

    def __init__(self, fd: int, on_end: Callable[[], None]) -> None:
        self._fd = fd
        self._on_end = on_end
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        """Call `on_end` once, on the running loop, at end of file. The fd is ours from now on."""
        os.set_inheritable(self._fd, False)
        os.set_blocking(self._fd, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def close(self) -> None:
        """Stop watching."""
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._loop = None

    def _readable(self) -> None:
        try:
            ended = not os.read(self._fd, 64)
        except BlockingIOError:
            return
        if ended:
            self.close()
            self._on_end()
