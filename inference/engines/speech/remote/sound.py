"""Sound from a server: its outer silence is cut, and what cannot be the sentence is refused."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from inference.engines.base import EngineError, Samples

_AUDIBLE: Final = 64  # of 32768, -54 dB: as for the built-in voice
_LEAD_SECONDS: Final = 0.005
_TAIL_SECONDS: Final = 0.020
# Nobody speaks a character longer, nor makes longer pauses around a sentence.
_LONGEST_CHARACTER_SECONDS: Final = 4.0
_AROUND_SECONDS: Final = 30.0
# The fastest speech understood has ten syllables a second; twice that cannot be the whole text.
_SHORTEST_SYLLABLE_SECONDS: Final = 0.045
_SYLLABLES: Final = re.compile(r"[\u3400-\u9fff]|[aeiouyAEIOUY]+|[0-9]")


class SilenceTrimmer:
    """Cuts the silence around speech to 5 ms before and 20 ms after, as it streams.

    cut_seconds: what was cut before the speech; None until it is heard.
    """

    def __init__(self, rate_hz: int, most_seconds: float) -> None:
        """most_seconds: what comes from outside may have no end."""
        self._rate_hz = rate_hz
        self._most_seconds = most_seconds
        self._heard = 0
        self._held = np.empty(0, np.int16)
        self._passed = 0
        self.cut_seconds: float | None = None

    @property
    def seconds(self) -> float:
        """How much has been let through."""
        return self._passed / self._rate_hz

    def push(self, samples: Samples) -> Samples:
        """What may go out now; silence is held back until sound follows it. Raises EngineError."""
        self._heard += len(samples)
        if self._heard > self._most_seconds * self._rate_hz:
            message = (
                f"The voice service gave over {self._most_seconds:.0f} s of sound for this text."
            )
            raise EngineError("voice_endless", message)
        held = np.concatenate((self._held, samples))
        audible = np.flatnonzero(np.abs(held.astype(np.int32)) >= _AUDIBLE)
        if not audible.size:
            self._held = held
            return self._pass(held[:0])
        if self.cut_seconds is None:
            cut = max(0, int(audible[0]) - int(_LEAD_SECONDS * self._rate_hz))
            self.cut_seconds = cut / self._rate_hz
            held, audible = held[cut:], audible - cut
        end = int(audible[-1]) + 1
        self._held = held[end:]
        return self._pass(held[:end])

    def finish(self) -> Samples:
        """The tail. Raises EngineError when nothing was audible."""
        if self.cut_seconds is None:
            raise EngineError("voice_silent", "The voice service answered with silence.")
        return self._pass(self._held[: int(_TAIL_SECONDS * self._rate_hz)])

    def _pass(self, samples: Samples) -> Samples:
        self._passed += len(samples)
        return samples


def longest_seconds(text: str, speed: float = 1.0) -> float:
    """A sound longer than this is not that of the text."""
    return _AROUND_SECONDS + len(text) * _LONGEST_CHARACTER_SECONDS / min(1.0, speed)


def check_length(text: str, seconds: float, speed: float = 1.0) -> None:
    """Raises EngineError when so short a sound cannot be the whole text."""
    least = len(_SYLLABLES.findall(text)) * _SHORTEST_SYLLABLE_SECONDS / max(1.0, speed)
    if seconds < least:
        message = (
            f"The voice service gave only {seconds:.1f} s of sound, too little for this text: "
            "it was cut off, or its sample rate is set too high."
        )
        raise EngineError("voice_cut", message)
