"""What the server counts and measures of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Since the server began. painted: faces handed over; passes: in how many passes."""

    painted: int = 0
    heard: int = 0
    passes: int = 0
    late: int = 0
    failed: int = 0
    refused: int = 0
    dropped_clients: int = 0


@dataclass(slots=True)
class Load:
    """Busy share of the device since it was last asked for."""

    busy_seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def take(self, now: float) -> float:
        """The share, 0 … 1; from now on it is counted anew."""
        share = self.busy_seconds / max(now - self.since, 1e-9)
        self.busy_seconds, self.since = 0.0, now
        return min(1.0, share)
