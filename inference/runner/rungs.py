"""How much of the picture a viewer gets: a rung down when the network is weak, up when it is well.

Nobody can tell beforehand what a network carries, so a viewer climbs on trial: who soon falls again
waits twice as long for the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

CLIMB_SECONDS: Final = 15.0
MOST_SECONDS: Final = 240.0
# Who stood for so long on a rung is judged anew; a fall sooner after a climb says it was wrong.
_RELAPSE_SECONDS: Final = 60.0


class Ladder:
    """The rung of one viewer, from the first to the last of `rungs`, best first."""

    def __init__(self, rungs: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._rungs = rungs
        self._clock = clock
        self._number = 0
        self._wait_seconds = CLIMB_SECONDS
        self._moved_at = clock()
        self._has_climbed = False

    @property
    def rung(self) -> str:
        return self._rungs[self._number]

    @property
    def below(self) -> str | None:
        """The next worse rung, if there is one."""
        return self._rungs[self._number + 1] if self._number + 1 < len(self._rungs) else None

    @property
    def above(self) -> str | None:
        return self._rungs[self._number - 1] if self._number else None

    def may_climb(self, quiet_seconds: float) -> bool:
        """Whether it is time to try the rung above. quiet_seconds: since the last trouble."""
        stood = self._clock() - self._moved_at
        return self._number > 0 and min(stood, quiet_seconds) >= self._wait_seconds

    def fall(self) -> None:
        """Go down a rung, where there is one."""
        now = self._clock()
        if now - self._moved_at >= _RELAPSE_SECONDS:
            self._wait_seconds = CLIMB_SECONDS
        elif self._has_climbed:
            self._wait_seconds = min(2 * self._wait_seconds, MOST_SECONDS)
        # Else it fell a moment ago, and falls on: one trouble, which is counted once.
        self._number, self._moved_at, self._has_climbed = self._number + 1, now, False

    def climb(self) -> None:
        now = self._clock()
        self._number, self._moved_at, self._has_climbed = self._number - 1, now, True
