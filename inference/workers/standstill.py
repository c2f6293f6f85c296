"""Finds out that an engine hangs inside a worker that is alive and answers pings."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

TICK_SECONDS: Final = 0.25
# Nothing came back and the process did nothing: it waits for what does not come. With the start of
# the next worker a sentence is 4 s late at most, as with a worker that answers no pings.
IDLE_TICKS: Final = 10
# Nothing came back, but it works: on a slow machine a model may take its time.
BUSY_TICKS: Final = 40
# Less of a tick than this on the processor is no work; our own looking takes a thousandth, and a
# machine with far too much to do still gives a process more.
_WORK_SHARE: Final = 0.02


class StandstillWatch:
    """Calls `on_standstill`, once and on a thread of its own, when an engine hangs.

    Ticks are counted, not seconds: a worker that stood still as a whole has counted none.
    """

    def __init__(self, on_standstill: Callable[[], None]) -> None:
        self._on_standstill = on_standstill
        self._expects = threading.Event()
        self._turn = 0
        thread = threading.Thread(target=self._look, name="standstill", daemon=True)
        thread.start()

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """While it lasts, the engine has the word and owes an answer."""
        self._turn += 1
        self._expects.set()
        try:
            yield
        finally:
            self._expects.clear()

    def _look(self) -> None:
        while True:
            self._expects.wait()
            if self._stands_still():
                self._on_standstill()
                return

    def _stands_still(self) -> bool:
        """Watch one turn of the engine to its end, or to the end of our patience."""
        turn, idle, worked = self._turn, 0, time.process_time()
        for _ in range(BUSY_TICKS):
            time.sleep(TICK_SECONDS)
            if not self._expects.is_set() or self._turn != turn:
                return False
            now = time.process_time()
            idle = idle + 1 if now - worked < _WORK_SHARE * TICK_SECONDS else 0
            worked = now
            if idle >= IDLE_TICKS:
                return True
        return True
