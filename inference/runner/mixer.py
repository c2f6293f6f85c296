"""The sound timeline: sentences placed on the sample counter, cut and counted to the sample.

The session (asyncio thread) schedules; the tick thread pulls 20 ms at a time. Only the mixer
raises the generation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np

Samples = np.ndarray[Any, np.dtype[np.int16]]

TICK_SAMPLES: Final = 960  # 20 ms at 48 kHz
FADE_SAMPLES: Final = 480  # 10 ms
_FIRST_BUFFER_SAMPLES: Final = 96_000
_FADE: Final = np.linspace(1.0, 0.0, FADE_SAMPLES, dtype=np.float32)

After = Literal["now", "queue"]


class MixerFullError(Exception):
    """One sentence speaks and one waits already; schedule again when one has ended."""


class Segment:
    """The sound of one utterance, 48 kHz mono int16, that may still be growing.

    Any thread may append; `finish` and `fail` are final. number: of the sentence, for test voices.
    """

    def __init__(self, utterance: str, number: int = 0) -> None:
        self.utterance = utterance
        self.number = number
        self._buffer: Samples = np.empty(0, np.int16)
        self._available = 0
        self._ended = False
        self._failed = False
        self._lock = threading.Lock()

    @classmethod
    def complete(cls, utterance: str, samples: Samples, number: int = 0) -> Segment:
        """A segment whose sound is all there. samples: (n,) int16, not copied."""
        segment = cls(utterance, number)
        segment._buffer = samples
        segment._available = len(samples)
        segment._ended = True
        return segment

    @property
    def available_samples(self) -> int:
        """How much sound is there so far."""
        return self._available

    @property
    def total_samples(self) -> int | None:
        """The length of the sentence; None while it grows."""
        with self._lock:
            return self._available if self._ended else None

    @property
    def has_failed(self) -> bool:
        """True when the voice gave up; what was appended before is still played."""
        return self._failed

    def append(self, samples: Samples) -> None:
        """Add sound at the end. samples: (n,) int16. Raises ValueError after the end."""
        with self._lock:
            if self._ended:
                raise ValueError(f"utterance {self.utterance} has already ended")
            self._reserve(self._available + len(samples))
            self._buffer[self._available : self._available + len(samples)] = samples
            self._available += len(samples)

    def finish(self, total_samples: int | None = None) -> None:
        """No more sound follows. total_samples: checked when given. Raises ValueError."""
        with self._lock:
            if total_samples is not None and total_samples != self._available:
                raise ValueError(f"expected {total_samples} samples, have {self._available}")
            self._ended = True

    def fail(self) -> None:
        """The voice gave up: the sentence ends, not completed, after what is there."""
        with self._lock:
            if not self._ended:
                self._ended = self._failed = True

    def read(self, offset: int, count: int) -> Samples:
        """Up to `count` samples from `offset` on; fewer where the sound is not there yet."""
        with self._lock:
            return self._buffer[offset : min(offset + count, self._available)]

    def _reserve(self, samples: int) -> None:
        if samples <= len(self._buffer):
            return
        # A new array: views that `read` gave out keep the old one.
        grown = np.empty(max(samples, 2 * len(self._buffer), _FIRST_BUFFER_SAMPLES), np.int16)
        grown[: self._available] = self._buffer[: self._available]
        self._buffer = grown


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a segment was put. start_sample None: behind a sentence whose length is not known yet;
    `on_placed` follows."""

    utterance: str
    generation: int
    start_sample: int | None


@dataclass(frozen=True, slots=True)
class Interruption:
    """What an interrupt cut. generation: the new one. at_sample: nothing old is louder than its
    10 ms fade from here on. played_samples: of `utterance`, its fade included. dropped: utterances
    that were scheduled and had not begun."""

    generation: int
    at_sample: int
    utterance: str | None
    played_samples: int
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TickBlock:
    """20 ms on the clock. pts: of its first sample. samples: (960,) int16 mono, not to be changed.
    utterance: that sounds in it, None for silence between sentences."""

    pts: int
    samples: Samples
    generation: int
    utterance: str | None


class MixerListener(Protocol):
    """What the mixer tells, on the tick thread (`placed`: also on the scheduling one).

    Each segment that started gets exactly one `finished`; one that failed before its first sample
    gets only `finished` with 0 samples; revoked and dropped ones get none.
    """

    def placed(self, utterance: str, generation: int, start_sample: int) -> None:
        """The start that `schedule` could not tell is known now."""

    def started(self, utterance: str, generation: int, sample: int) -> None:
        """Its first sample leaves at `sample`."""

    def finished(
        self, utterance: str, generation: int, played_samples: int, *, completed: bool
    ) -> None:
        """Its last sample has left the clock."""

    def underrun(
        self, utterance: str, generation: int, at_sample: int, silent_samples: int
    ) -> None:
        """The voice was late: `silent_samples` of silence went in at `at_sample`, the rest of the
        sentence moved back by as much."""


class QuietListener:
    """Listens to nothing; for measurements and a base to override single methods of."""

    def placed(self, utterance: str, generation: int, start_sample: int) -> None: ...

    def started(self, utterance: str, generation: int, sample: int) -> None: ...

    def finished(
        self, utterance: str, generation: int, played_samples: int, *, completed: bool
    ) -> None: ...

    def underrun(
        self, utterance: str, generation: int, at_sample: int, silent_samples: int
    ) -> None: ...


@dataclass(slots=True)
class _Voice:
    segment: Segment
    generation: int
    gap_samples: int
    lead_sample: int  # not before this one
    start: int | None = None
    played: int = 0
    is_started: bool = False
    cursor: int = 0  # where its next sample goes, unless the clock is further
    starved_at: int | None = None

    @property
    def is_over(self) -> bool:
        """All of its sound was handed over, and no more comes."""
        return self.segment.total_samples == self.played

    def end(self, position: int) -> int | None:
        """The sample after its last one, None while unknown."""
        total = self.segment.total_samples
        if total is None or self.start is None:
            return None
        left = total - self.played
        return max(self.cursor, position) + left if left else self.cursor


class Mixer:
    """Holds at most one speaking and one next segment. Thread-safe.

    capacity: 2 segments; overflow: `schedule` refuses with MixerFullError.
    start_sample: the first that will leave.
    """

    def __init__(self, listener: MixerListener, *, start_sample: int = 0) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._voices: list[_Voice] = []
        self._fading: tuple[_Voice, Samples] | None = None  # to be mixed into the next tick
        self._faded: _Voice | None = None  # mixed into the last one
        self._calls: list[Callable[[], None]] = []
        self._position = start_sample
        self._generation = 0
        self._last_end = start_sample
        self._underruns = 0
        self._silent_samples = 0

    @property
    def generation(self) -> int:
        """Raised by each interrupt and rebase."""
        return self._generation

    @property
    def position(self) -> int:
        """The next sample to leave."""
        return self._position

    @property
    def underruns(self) -> tuple[int, int]:
        """(how often a voice was late in mid-sentence, samples of silence that cost)."""
        return self._underruns, self._silent_samples

    @property
    def scheduled(self) -> tuple[str, ...]:
        """The utterances that speak or wait, in order."""
        with self._lock:
            return tuple(voice.segment.utterance for voice in self._voices)

    def schedule(
        self,
        segment: Segment,
        *,
        after: After = "queue",
        lead_samples: int = 0,
        gap_samples: int = 0,
    ) -> Placement:
        """Put a sentence on the clock, never before `lead_samples` from now.

        after "queue": `gap_samples` after the end of the one before it; "now": at once, legal only
        when nothing speaks or waits (interrupt or revoke first). Raises MixerFullError.
        """
        with self._lock:
            busy = sum(not voice.is_over for voice in self._voices)
            if busy >= (1 if after == "now" else 2):
                raise MixerFullError("a sentence is already in that place")
            gap = gap_samples if after == "queue" else 0
            voice = _Voice(segment, self._generation, gap, self._position + lead_samples)
            self._voices.append(voice)
            self._place(voice)
            return Placement(segment.utterance, voice.generation, voice.start)

    def revoke(self, utterance: str) -> bool:
        """Take a sentence back. True if it had not begun: then no sample of it is ever heard."""
        with self._lock:
            for voice in self._voices:
                if voice.segment.utterance == utterance and not voice.is_started:
                    self._voices.remove(voice)
                    return True
            return False

    def interrupt(self) -> Interruption:
        """Cut what speaks at the next sample to leave, with a 10 ms fade, and drop what waits."""
        with self._lock:
            return self._interrupt(fade=True)

    def rebase(self, position: int) -> Interruption:
        """The clock jumped: cut without a fade and go on at `position`.

        What was cut is `finished` with the next tick: who hears of the jump first plans it anew.
        """
        with self._lock:
            interruption = self._interrupt(fade=False)
            self._position = position
            self._last_end = min(self._last_end, position)
        return interruption

    def pull(self, sample: int) -> TickBlock:
        """The 960 samples from `sample` on. Only the tick thread calls this."""
        samples = np.zeros(TICK_SAMPLES, np.int16)
        with self._lock:
            self._position = sample
            self._retire()
            self._mix_fade(samples)
            utterance = self._mix_voices(samples, sample)
            self._position = sample + TICK_SAMPLES
            generation = self._generation
        self._tell()
        return TickBlock(sample, samples, generation, utterance)

    def close(self) -> None:
        """The clock has stopped after its last tick: report what had been played to its end."""
        with self._lock:
            if self._fading is not None:  # this fade was never heard
                voice, tail = self._fading
                voice.played -= len(tail)
                self._faded, self._fading = voice, None
            self._retire()
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:  # outside the lock: a listener may schedule
            call()

    def _place(self, voice: _Voice) -> None:
        index = self._voices.index(voice)
        previous_end = self._voices[index - 1].end(self._position) if index else self._last_end
        if previous_end is not None:
            gap = voice.gap_samples if previous_end else 0
            voice.start = max(voice.lead_sample, previous_end + gap, self._position)
            voice.cursor = voice.start

    def _interrupt(self, *, fade: bool) -> Interruption:
        self._generation += 1
        self._retire_voices()  # what left whole with the last tick was said, not cut
        speaking = self._voices[0] if self._voices and self._voices[0].is_started else None
        dropped = tuple(v.segment.utterance for v in self._voices if v is not speaking)
        self._voices = []
        self._last_end = self._position
        if speaking is None:
            return Interruption(self._generation, self._position, None, 0, dropped)
        tail = speaking.segment.read(speaking.played, FADE_SAMPLES if fade else 0)
        if speaking.starved_at is not None:
            tail = tail[:0]
        speaking.played += len(tail)
        self._last_end += len(tail)
        if len(tail):
            self._fading = (speaking, tail)
        else:
            self._finish(speaking, completed=False)
        return Interruption(
            self._generation, self._position, speaking.segment.utterance, speaking.played, dropped
        )

    def _mix_fade(self, out: Samples) -> None:
        if self._fading is not None:
            tail = self._fading[1]
            out[: len(tail)] = tail * _FADE[: len(tail)]
            self._faded, self._fading = self._fading[0], None

    def _mix_voices(self, out: Samples, sample: int) -> str | None:
        heard: str | None = None
        for voice in self._voices:
            if voice.start is None:
                self._place_late(voice)
            if voice.start is None or voice.start >= sample + TICK_SAMPLES:
                break
            if self._mix(voice, out, sample):
                heard = heard or voice.segment.utterance
        return heard

    def _place_late(self, voice: _Voice) -> None:
        self._place(voice)
        start = voice.start
        if start is not None:
            name, generation = voice.segment.utterance, voice.generation
            self._calls.append(lambda: self._listener.placed(name, generation, start))

    def _mix(self, voice: _Voice, out: Samples, sample: int) -> int:
        assert voice.start is not None
        first = max(voice.start - sample, 0)
        part = voice.segment.read(voice.played, TICK_SAMPLES - first)
        if len(part):
            self._begin(voice, sample + first)
            mixed = out[first : first + len(part)].astype(np.int32)
            mixed += part
            # np.clip looks up the limits of its types each time, which takes longer than all else.
            np.minimum(mixed, 32767, out=mixed)
            np.maximum(mixed, -32768, out=mixed)
            out[first : first + len(part)] = mixed
            voice.played += len(part)
            voice.cursor = sample + first + len(part)
        if first + len(part) < TICK_SAMPLES and not voice.is_over and voice.starved_at is None:
            voice.starved_at = sample + first + len(part)
        return len(part)

    def _begin(self, voice: _Voice, sample: int) -> None:
        name, generation = voice.segment.utterance, voice.generation
        if not voice.is_started:
            voice.is_started = True
            self._calls.append(lambda: self._listener.started(name, generation, sample))
        elif voice.starved_at is not None:
            at, silent = voice.starved_at, sample - voice.starved_at
            self._underruns += 1
            self._silent_samples += silent
            self._calls.append(lambda: self._listener.underrun(name, generation, at, silent))
        voice.starved_at = None

    def _retire(self) -> None:
        """Report what was handed over whole before this tick: its last sample has left by now."""
        if self._faded is not None:
            self._finish(self._faded, completed=False)
            self._faded = None
        self._retire_voices()

    def _retire_voices(self) -> None:
        while self._voices and self._voices[0].is_over:
            voice = self._voices.pop(0)
            self._last_end = max(self._last_end, voice.cursor)
            self._finish(voice, completed=not voice.segment.has_failed)

    def _finish(self, voice: _Voice, *, completed: bool) -> None:
        name, generation, played = voice.segment.utterance, voice.generation, voice.played
        self._calls.append(
            lambda: self._listener.finished(name, generation, played, completed=completed)
        )
