"""Time for tests of the media clock."""

from __future__ import annotations

from collections.abc import Callable


class FakeTime:
    """Time that passes only by sleeping. on_sleep: called before each sleep, to settle threads."""

    def __init__(self, on_sleep: Callable[[], None] | None = None) -> None:
        self.now_ns = 0
        self.suspended_ns = 0
        self.on_sleep = on_sleep

    def monotonic_ns(self) -> int:
        return self.now_ns

    def boottime_ns(self) -> int:
        return self.now_ns + self.suspended_ns

    def sleep_ns(self, duration_ns: int) -> None:
        if self.on_sleep is not None:
            self.on_sleep()
        self.now_ns += duration_ns
