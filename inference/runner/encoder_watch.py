"""Finds encoders that took something and do not come back: a codec or a driver that hangs."""

from __future__ import annotations

from typing import Final

# Looks are counted, one a second, not seconds: while the machine stood still nobody looked. What
# one round has to do at most, a second of sound and two pictures, takes a twentieth of a second.
SILENT_LOOKS: Final = 6


class EncoderWatch:
    """Looks at how many rounds the encoders have made."""

    def __init__(self) -> None:
        self._rounds = -1
        self._silent = 0

    def hangs(self, rounds: int, part: str) -> bool:
        """Whether they hang in this part; told once. rounds: so far. part: empty = they wait."""
        if rounds != self._rounds or not part:
            self._rounds, self._silent = rounds, 0
            return False
        self._silent += 1
        return self._silent == SILENT_LOOKS
