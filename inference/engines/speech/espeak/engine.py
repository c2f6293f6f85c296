"""The built-in voice: eSpeak NG in Chinese and English, female and male, with phoneme timing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError, Samples, SpeechChunk, SpeechRequest, Timing
from inference.engines.speech.espeak.library import (
    EspeakLibrary,
    LibraryEvent,
    VoiceSettings,
    load_library,
)
from inference.engines.speech.visemes import phonemes_to_visemes
from inference.text.lexicon import lexicon_of
from inference.text.normalise import NormalisedText, normalise

# Variants by intelligibility (word error rate of a recogniser, among the 90 variants shipped).
# With each the volume that makes both as loud as another and keeps the peaks off the limit.
_VARIANTS: Final = {"female": ("f5", 0.85), "male": ("edward", 0.65)}
_VOICES: Final = {"zh-CN": "cmn", "en-US": "en-us"}
_BASE_RATE_WPM: Final = {"zh-CN": 170, "en-US": 165}
_MIDDLE: Final = 50  # eSpeak's neutral pitch, on its scale of 0..99
# emotion -> rate factor, pitch shift, pitch range, volume in percent
_EMOTIONS: Final = {
    1: (0.90, -8, 20, 80),
    2: (0.95, -4, 35, 90),
    3: (1.00, 0, 50, 100),
    4: (1.06, 6, 68, 108),
    5: (1.13, 12, 88, 115),
}
_RATE_LIMITS: Final = (0.5, 2.0)
_PITCH_LIMITS: Final = (-50, 50)

_AUDIBLE: Final = 64  # of 32768: -54 dB, under the breath noise of every variant
_LEAD_SECONDS: Final = 0.005
_TAIL_SECONDS: Final = 0.020
_QUEUE_BLOCKS: Final = 16  # x 60 ms; full: eSpeak waits in its callback, nothing is dropped
_POLL_SECONDS: Final = 0.005

_Item = tuple[Samples, list[LibraryEvent]] | BaseException | None


class EspeakEngine:
    """Speaks with eSpeak NG. Silence around the speech is cut to 5 ms before and 20 ms after."""

    timing = "phonemes"
    tagged = False

    def __init__(self, library: EspeakLibrary) -> None:
        self._library = library
        self.sample_rate_hz = library.sample_rate_hz

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]:
        """Chunks of <= 60 ms as eSpeak makes them. Raises EngineError."""
        voice = voice_settings(request)
        text = normalise(request.text, request.language, lexicon_of(request.settings))
        if not text.is_speakable:
            raise EngineError(
                "nothing_to_say", "There is nothing to say in this text.", retryable=False
            )
        return self._stream(request, voice, text)

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]:
        return phonemes_to_visemes(timings, language)

    def close(self) -> None:
        """Nothing to free: the library lives as long as its process."""

    def _stream(
        self, request: SpeechRequest, voice: VoiceSettings, text: NormalisedText
    ) -> Iterator[SpeechChunk]:
        blocks: queue.Queue[_Item] = queue.Queue(_QUEUE_BLOCKS)
        stopped = threading.Event()
        speaker = threading.Thread(
            target=self._speak, args=(text.text, voice, blocks, stopped), name="espeak", daemon=True
        )
        speaker.start()
        trimmer = _Trimmer(self.sample_rate_hz, text, request)
        try:
            while (item := blocks.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                if (chunk := trimmer.push(*item)) is not None:
                    yield chunk
            yield trimmer.finish()
        finally:
            stopped.set()
            _join(speaker, blocks)

    def _speak(
        self,
        text: str,
        voice: VoiceSettings,
        blocks: queue.Queue[_Item],
        stopped: threading.Event,
    ) -> None:
        def sink(samples: Samples, events: list[LibraryEvent]) -> bool:
            return not stopped.is_set() and _put(blocks, (samples, events), stopped)

        try:
            self._library.speak(text, voice, sink)
        except EngineError as error:
            _put(blocks, error, stopped)
        _put(blocks, None, stopped)


class _Trimmer:
    """Cuts the silence around the speech and moves the timings accordingly.

    Silence inside the speech is held back until sound follows it, so only the ends are cut.
    """

    def __init__(self, rate_hz: int, text: NormalisedText, request: SpeechRequest) -> None:
        self._rate_hz = rate_hz
        self._text = text
        self._waiting_marks = sorted(request.directives)
        self._cut: int | None = None  # samples removed before the speech
        self._held = np.empty(0, np.int16)
        self._emitted = 0
        self._timings: list[Timing] = []
        self._early: list[LibraryEvent] = []

    def push(self, samples: Samples, events: list[LibraryEvent]) -> SpeechChunk | None:
        """What may go out now; None while only silence came."""
        self._early.extend(events)
        held = np.concatenate((self._held, samples))
        audible = np.flatnonzero(np.abs(held.astype(np.int32)) >= _AUDIBLE)
        if not audible.size:
            self._held = held
            return None
        if self._cut is None:
            self._cut = max(0, int(audible[0]) - int(_LEAD_SECONDS * self._rate_hz))
            held, audible = held[self._cut :], audible - self._cut
        end = int(audible[-1]) + 1
        self._held = held[end:]
        return self._chunk(held[:end], self._take_timings())

    def finish(self) -> SpeechChunk:
        """The last chunk: the kept tail and what is still to be told. Raises EngineError."""
        if self._cut is None:
            raise EngineError(
                "nothing_to_say", "There is nothing to say in this text.", retryable=False
            )
        tail = self._held[: int(_TAIL_SECONDS * self._rate_hz)]
        timings = self._take_timings()
        end_seconds = (self._emitted + len(tail)) / self._rate_hz
        timings += [Timing("mark", name, end_seconds) for _, name in self._waiting_marks]
        clamped = tuple(
            Timing(t.kind, t.text, min(t.at_seconds, end_seconds), t.position) for t in timings
        )
        return self._chunk(tail, clamped)

    def _chunk(self, samples: Samples, timings: list[Timing] | tuple[Timing, ...]) -> SpeechChunk:
        self._emitted += len(samples)
        return SpeechChunk(samples, tuple(timings))

    def _take_timings(self) -> list[Timing]:
        taken: list[Timing] = []
        for event in self._early:
            at_seconds = max(0, event.sample - (self._cut or 0)) / self._rate_hz
            if event.kind == "word":
                position = self._text.source_position(event.position)
                taken += self._marks_up_to(position, at_seconds)
                taken.append(Timing("word", "", at_seconds, position))
            else:
                taken.append(Timing("phoneme", event.text, at_seconds))
        self._early = []
        return taken

    def _marks_up_to(self, position: int, at_seconds: float) -> list[Timing]:
        due = []
        while self._waiting_marks and self._waiting_marks[0][0] <= position:
            offset, name = self._waiting_marks.pop(0)
            due.append(Timing("mark", name, at_seconds, offset))
        return due


def voice_settings(request: SpeechRequest) -> VoiceSettings:
    """The eSpeak parameters of a request. Raises EngineError naming what is wrong."""
    if request.language not in _VOICES:
        raise _refusal(f"The built-in voice speaks {', '.join(_VOICES)}, not {request.language!r}.")
    gender = request.settings.get("gender", "female")
    if gender not in _VARIANTS:
        raise _refusal(f"The voice setting gender is female or male, not {gender!r}.")
    if request.emotion not in _EMOTIONS:
        raise _refusal(f"Emotion is 1 to 5, not {request.emotion!r}.")
    rate = _number(request.settings, "rate", 1.0, _RATE_LIMITS)
    pitch = _number(request.settings, "pitch", 0, _PITCH_LIMITS)
    rate_factor, pitch_shift, pitch_range, volume = _EMOTIONS[request.emotion]
    variant, loudness = _VARIANTS[gender]
    return VoiceSettings(
        name=f"{_VOICES[request.language]}+{variant}",
        rate_wpm=round(_BASE_RATE_WPM[request.language] * rate * rate_factor),
        pitch=min(99, max(0, round(_MIDDLE + pitch + pitch_shift))),
        pitch_range=pitch_range,
        volume=round(volume * loudness),
    )


def create_engine() -> EspeakEngine:
    """The built-in voice of this process. Raises EngineError when the library is missing."""
    return EspeakEngine(load_library())


def _number(
    settings: dict[str, Any], name: str, default: float, limits: tuple[float, float]
) -> float:
    value = settings.get(name, default)
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _refusal(f"The voice setting {name} is a number from {low} to {high}, not {value!r}.")
    return float(value)


def _refusal(message: str) -> EngineError:
    return EngineError("bad_voice_setting", message, retryable=False)


def _put(blocks: queue.Queue[_Item], item: _Item, stopped: threading.Event) -> bool:
    """Put an item, waiting for room; False when the reader has gone."""
    while not stopped.is_set():
        try:
            blocks.put(item, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False


def _join(speaker: threading.Thread, blocks: queue.Queue[_Item]) -> None:
    """Wait for the speaker's end; its callback sees `stopped` within one block."""
    while not blocks.empty():
        blocks.get_nowait()
    speaker.join()
