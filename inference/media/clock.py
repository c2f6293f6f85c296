"""The media clock: a sample counter on absolute monotonic deadlines, whole ticks of 20 ms."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from inference.protocol import SAMPLE_RATE_HZ

TICK_SAMPLES: Final = 960  # 20 ms
REBASE_NS: Final = 500_000_000
_SECOND_NS: Final = 1_000_000_000
_SWITCH_INTERVAL_SECONDS: Final = 0.001
# Only Linux has a clock that counts suspension; elsewhere monotonic has to do.
_BOOTTIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


class TimeSource(Protocol):
    """Where time comes from; tests bring their own."""

    def monotonic_ns(self) -> int:
        """Stands still while the machine is suspended."""

    def boottime_ns(self) -> int:
        """Runs on while the machine is suspended."""

    def sleep_ns(self, duration_ns: int) -> None: ...


class SystemTime:
    """The time of this machine."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boottime_ns(self) -> int:
        return time.monotonic_ns() if _BOOTTIME is None else time.clock_gettime_ns(_BOOTTIME)

    def sleep_ns(self, duration_ns: int) -> None:
        time.sleep(duration_ns / _SECOND_NS)


class MediaClock:
    """Counts samples against time. Only its own thread moves it; any thread may read `sample`.

    on_tick(sample, late_samples): called once a period, at or after its deadline, for the `step`
    samples from `sample` on. on_rebase(sample, gap_samples): the clock was more than 500 ms late (a
    suspended machine) and goes on at `sample`, a whole number of ticks later. start_sample: the
    first one. period_samples: periods begin at its multiples. Both are whole ticks.
    """

    def __init__(
        self,
        on_tick: Callable[[int, int], None],
        on_rebase: Callable[[int, int], None],
        source: TimeSource | None = None,
        *,
        start_sample: int = 0,
        period_samples: int = TICK_SAMPLES,
    ) -> None:
        self._on_tick = on_tick
        self._on_rebase = on_rebase
        self._source = source or SystemTime()
        self._sample = start_sample
        self._period = period_samples
        self._anchor_sample = start_sample
        self._anchor_ns = 0
        self._anchor_boot_ns = 0

    @property
    def sample(self) -> int:
        """The next sample to leave."""
        return self._sample

    @property
    def step(self) -> int:
        """How many samples the tick at `sample` is for: a period, less if it began before."""
        return self._period - self._sample % self._period

    def now_samples(self) -> int:
        """Where the clock stands by the time that has passed, between ticks too."""
        return self._anchor_sample + self._elapsed_ns() * SAMPLE_RATE_HZ // _SECOND_NS

    def run(self, stopping: threading.Event) -> None:
        """Tick until `stopping` is set."""
        self._anchor(0)
        while not stopping.is_set():
            late_ns = self._wait()
            if stopping.is_set():
                return
            if late_ns > REBASE_NS:
                self._rebase(late_ns)
                continue
            self._on_tick(self._sample, late_ns * SAMPLE_RATE_HZ // _SECOND_NS)
            self._sample += self.step

    def _wait(self) -> int:
        """Sleep until the next tick is due; how late it is then, in ns."""
        due_ns = (self._sample - self._anchor_sample) * _SECOND_NS // SAMPLE_RATE_HZ
        early_ns = due_ns - self._elapsed_ns()
        if early_ns > 0:
            self._source.sleep_ns(early_ns)
        return max(0, self._elapsed_ns() - due_ns)

    def _elapsed_ns(self) -> int:
        """Since the anchor, suspension included."""
        monotonic = self._source.monotonic_ns() - self._anchor_ns
        return max(monotonic, self._source.boottime_ns() - self._anchor_boot_ns)

    def _rebase(self, late_ns: int) -> None:
        ticks = late_ns * SAMPLE_RATE_HZ // _SECOND_NS // TICK_SAMPLES
        gap = ticks * TICK_SAMPLES
        self._sample += gap
        rest_ns = late_ns - gap * _SECOND_NS // SAMPLE_RATE_HZ
        self._anchor(rest_ns)
        self._on_rebase(self._sample, gap)

    def _anchor(self, late_ns: int) -> None:
        self._anchor_sample = self._sample
        self._anchor_ns = self._source.monotonic_ns() - late_ns
        self._anchor_boot_ns = self._source.boottime_ns() - late_ns


def prefer_this_thread(*, real_time: bool = False) -> str:
    """Give the calling thread precedence where the system allows it; what was granted, in words.

    real_time: for a thread that only hands over; one that computes would starve the machine.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    if platform.system() != "Linux":
        return "normal"
    if real_time:
        with contextlib.suppress(OSError):
            policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, policy, os.sched_param(1))
            return "real time"
    with contextlib.suppress(OSError):
        # On Linux a thread's own id selects the thread alone.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        return "nice -10"
    return "normal"
