"""The life pipe, seen by the children of `manage.py up`: when it ends, the parent is gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def watch_life(fd: int, on_end: Callable[[], None]) -> None:
    """Call `on_end` from a thread of its own when the only writer of the pipe is gone."""
    threading.Thread(target=_wait, args=(fd, on_end), name="life-pipe", daemon=True).start()


def _wait(fd: int, on_end: Callable[[], None]) -> None:
    while os.read(fd, 64):
        pass
    on_end()
