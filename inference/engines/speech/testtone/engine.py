"""The voice for measurements: a tone that says which sentence of which generation is heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inference.engines.base import EngineError, SpeechChunk, SpeechRequest, Timing
from inference.engines.speech.testtone.tones import RATE_HZ, beep_sound, tag_sound
from inference.engines.speech.visemes import phonemes_to_visemes

_SECONDS_PER_CHARACTER: Final = 0.060
_LEAST_SECONDS: Final = 0.5
_SECONDS_LIMITS: Final = (0.1, 600.0)
_CHUNK_SAMPLES: Final = RATE_HZ // 10
# The mouth says "ma ma ma", so that lips can be measured too.
_SYLLABLE: Final = (("m", 0.080), ("A", 0.160))
_BEEP_OPEN_SECONDS: Final = 0.100
_MODES: Final = ("tag", "beep")


class TesttoneEngine:
    """settings: seconds (else 60 ms a character, at least 0.5 s); mode: tag (default) or beep."""

    sample_rate_hz = RATE_HZ
    timing = "phonemes"
    tagged = True

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]:
        """Chunks of 100 ms. Raises EngineError for a bad setting."""
        mode = request.settings.get("mode", "tag")
        if mode not in _MODES:
            raise _refusal(f"The test tone's mode is {' or '.join(_MODES)}, not {mode!r}.")
        seconds = _seconds(request)
        return _stream(request, is_beep=mode == "beep", seconds=seconds)

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]:
        """Always by the English table: the mnemonics are ours, whatever the language."""
        return phonemes_to_visemes(timings, "en-US")

    def close(self) -> None:
        """Nothing to free."""


def create_engine() -> TesttoneEngine:
    return TesttoneEngine()


def _seconds(request: SpeechRequest) -> float:
    given = request.settings.get("seconds")
    if given is None:
        return max(_LEAST_SECONDS, _SECONDS_PER_CHARACTER * len(request.text))
    low, high = _SECONDS_LIMITS
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise _refusal(f"The test tone lasts {low} to {high:g} seconds, not {given!r}.")
    return float(given)


def _stream(request: SpeechRequest, *, is_beep: bool, seconds: float) -> Iterator[SpeechChunk]:
    total = round(seconds * RATE_HZ)
    timings = _phonemes(seconds, is_beep=is_beep) + _words(request.text, seconds)
    timings.sort(key=lambda timing: timing.at_seconds)
    for first in range(0, total, _CHUNK_SAMPLES):
        count = min(_CHUNK_SAMPLES, total - first)
        if is_beep:
            samples = beep_sound(first, count)
        else:
            samples = tag_sound(request.number, request.generation, first, count)
        start, end = first / RATE_HZ, (first + count) / RATE_HZ
        is_last = first + count == total
        due = [t for t in timings if start <= t.at_seconds and (is_last or t.at_seconds < end)]
        yield SpeechChunk(samples, tuple(due))


def _phonemes(seconds: float, *, is_beep: bool) -> list[Timing]:
    timings = []
    at_seconds = 0.0
    while at_seconds < seconds:
        if is_beep:
            timings.append(Timing("phoneme", "A", at_seconds))
            timings.append(Timing("phoneme", "_", at_seconds + _BEEP_OPEN_SECONDS))
            at_seconds += 1.0
            continue
        for name, length_seconds in _SYLLABLE:
            timings.append(Timing("phoneme", name, at_seconds))
            at_seconds += length_seconds
    kept = [timing for timing in timings if timing.at_seconds < seconds]
    return [*kept, Timing("phoneme", "_", seconds)]


def _words(text: str, seconds: float) -> list[Timing]:
    return [
        Timing("word", "", seconds * position / len(text), position)
        for position, character in enumerate(text)
        if position == 0 or text[position - 1].isspace() or ord(character) > 0x2E80
    ]


def _refusal(message: str) -> EngineError:
    return EngineError("bad_voice_setting", message, retryable=False)
