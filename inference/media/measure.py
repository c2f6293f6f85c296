"""Running figures of the media threads: what something took lately, and in all."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

_WINDOW: Final = 500  # 10 s of ticks


class Window:
    """The last 500 values of something. One thread adds, any may ask."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_WINDOW)

    def add(self, value: float) -> None:
        self._values.append(value)

    def mean(self) -> float:
        """0.0 when nothing was added."""
        values = self._values.copy()
        return sum(values) / len(values) if values else 0.0

    def percentile(self, share: float) -> float:
        """The value that `share` (0..1) of the last ones do not exceed; 0.0 when there is none."""
        values = sorted(self._values.copy())
        return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Meter:
    """What one step costs: wall clock ms lately, processor ms in all.

    One thread measures, with `with meter:`, one step at a time.
    """

    def __init__(self) -> None:
        self.wall_ms = Window()
        self.cpu_ms = 0.0
        self.count = 0
        self._wall = self._cpu = 0

    def __enter__(self) -> None:
        self._wall, self._cpu = time.monotonic_ns(), time.thread_time_ns()

    def __exit__(self, *failure: object) -> None:
        if failure[0] is not None:
            return
        self.cpu_ms += (time.thread_time_ns() - self._cpu) / 1e6
        self.wall_ms.add((time.monotonic_ns() - self._wall) / 1e6)
        self.count += 1
