"""What an engine must offer: the protocols a worker process drives, and the data they exchange.

Engines live only in worker processes; the media core never imports one. All times are relative to
the start of the utterance unless named otherwise; all pictures are I420.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

Json = dict[str, Any]
Samples = np.ndarray[Any, np.dtype[np.int16]]
Picture = np.ndarray[Any, np.dtype[np.uint8]]

# Oculus / OpenXR viseme names, in their standard order; tracks carry the index.
VISEMES: Final = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U",
)  # fmt: skip


class EngineError(Exception):
    """An engine could not do its work, said in words a host understands.

    code: stable snake_case. retryable: whether the same request may succeed later or elsewhere.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One sentence to be spoken.

    settings: of the voice (gender, rate, pitch, server ...). emotion: 1 (flat) .. 5 (excited).
    directives: (character offset in `text`, name), returned as marks with their time.
    number, generation: coded into the sound by `testtone`, ignored by real voices.
    """

    text: str
    language: str
    settings: Json = field(default_factory=dict)
    emotion: int = 3
    directives: tuple[tuple[int, str], ...] = ()
    number: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """When something sounds. kind: phoneme | word | mark. at_seconds: from the sentence's start.

    text: phoneme mnemonic, mark name, or empty for words. position: character offset for words.
    """

    kind: str
    text: str
    at_seconds: float
    position: int = 0


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """samples: (n,) int16 mono at the engine's rate; timings that became known with it.

    tokens: of a language model, that its server now says it has spent on the sentence.
    """

    samples: Samples
    timings: tuple[Timing, ...] = ()
    tokens: int = 0


class SpeechEngine(Protocol):
    """A voice. One request at a time; closing the iterator aborts at once."""

    sample_rate_hz: int
    # "phonemes": `Timing(kind="phoneme")` are given; "none": the worker finds the lips itself, from
    # text, words and sound, when the sentence is whole.
    timing: str
    # True: the sound depends on number and generation, so it must not be cached by text.
    tagged: bool

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]: ...

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FaceSetup:
    """What a face engine is created with. frame_samples: frame duration at 48 kHz.

    settings: of the avatar (character, outfit ...). cache_folder: baked art lives there.
    """

    width_px: int
    height_px: int
    frame_samples: int
    framing: str
    background: str
    settings: Json
    cache_folder: str


@dataclass(frozen=True, slots=True)
class FaceSpeech:
    """One utterance as the face follows it.

    start_sample: on the media clock (48 kHz). visemes: (seconds, index in VISEMES, weight 0..1),
    each lasting until the next. loudness: RMS of each 20 ms, 0..1 of full scale.
    marks: (seconds, directive name): expressions and gestures to be shown then.
    known_sample: pictures due before it were shown without knowing of the utterance; a face that
    makes ready for it begins there at the earliest.
    samples: the whole sound, (n,) int16 mono at 48 kHz, for engines that need audio.
    """

    utterance: str
    generation: int
    start_sample: int
    duration_samples: int
    visemes: tuple[tuple[float, int, float], ...]
    loudness: tuple[float, ...]
    emotion: int = 3
    marks: tuple[tuple[float, str], ...] = ()
    known_sample: int = 0
    samples: Samples | None = field(default=None, repr=False, compare=False)


class PaintedElsewhere(ABC):
    """What a face engine is besides, when another process makes its faces: that may be away."""

    @property
    @abstractmethod
    def late_frames(self) -> int:
        """Pictures whose face was not there in time, since the engine began."""

    @property
    @abstractmethod
    def trouble(self) -> str:
        """Why no faces come, in words for a host; empty while they do."""


class FaceEngine(Protocol):
    """A presenter. `render` may be asked for the same pts again after `start_speech` or `cut`."""

    # True: `FaceSpeech.samples` is given (the catalog says so too).
    needs_audio: bool

    def start_speech(self, speech: FaceSpeech) -> None:
        """Follow an utterance from its start sample; the same id again replaces what is known."""

    def cut(self, at_sample: int, generation: int) -> None:
        """No utterance of an older generation is shown from `at_sample` on."""

    def drop(self, utterance: str, from_sample: int) -> None:
        """It was taken back before it began: neither it (all ids that start with `utterance`) nor
        an expression or gesture planned for `from_sample` or later is shown."""

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None: ...

    def play_gesture(self, name: str, at_sample: int) -> None: ...

    def play_clip(self, name: str, at_sample: int) -> None:
        """Play a recorded motion. Raises EngineError when there is none of this name."""

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at `pts_samples` into out: (height * 3 // 2, width) uint8 I420.

        out: new, or as the last call with it left it, so that an engine need not draw all of it.
        """

    def close(self) -> None: ...
