"""What is shown while faces are late: the last one, on its way back to the film's own mouth."""

from __future__ import annotations

from typing import Final

from inference.engines.face.musetalk.bundle import Pixels

# As between speech and silence (`gate`): nothing jumps. 48 kHz samples.
_FADE_SAMPLES: Final = 5280


class Lateness:
    """Counts late frames and says what stands in for them."""

    def __init__(self, frame_samples: int) -> None:
        """frame_samples: the duration of a frame at 48 kHz."""
        self.frames = 0
        self._step = frame_samples / _FADE_SAMPLES
        self._held: Pixels | None = None
        self._trust = 1.0
        self._at = 0

    def judge(self, frame: int, face: Pixels | None) -> tuple[Pixels | None, float]:
        """(what to paste at a frame, how much of it, 0 … 1). face: what came, None = it is late."""
        moved = max(0, frame - self._at) * self._step
        self._at = max(self._at, frame)
        if face is not None:
            self._held, self._trust = face, min(1.0, self._trust + moved)
            return face, self._trust
        self.frames += 1
        self._trust = max(0.0, self._trust - moved)
        if self._trust == 0:
            self._held = None
        return self._held, self._trust
