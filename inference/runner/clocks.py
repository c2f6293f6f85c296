"""The boot-time clock: monotonic, and it goes on while the machine is suspended."""

from __future__ import annotations

import time
from typing import Final

# Linux has it; elsewhere (a developer's laptop) the monotonic clock is the nearest.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time_ms() -> int:
    """Milliseconds since boot."""
    return time.clock_gettime_ns(_CLOCK) // 1_000_000
