"""Puts lines on the clock: gets their sound, hands it to the mixer, tells the stage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from inference.protocol import Cursor
from inference.runner.lines import (
    SAMPLES_PER_MS,
    SENTENCE_GAP_SAMPLES,
    Line,
    LineMaker,
    OnClock,
    Piece,
    Stage,
)
from inference.runner.mixer import Mixer, Segment
from inference.runner.rundown import Rundown
from inference.workers.speech_client import Speech, SpeechClient

logger = logging.getLogger(__name__)

# Time for the face worker to redraw the frames that begin to speak.
LEAD_SAMPLES: Final = 60 * SAMPLES_PER_MS
PREFETCHED_SENTENCES: Final = 3
FIRST_RETRY_SECONDS: Final = 0.5
MAX_RETRY_SECONDS: Final = 8.0
MAX_LINE_RETRIES: Final = 3


class Retry:
    """When to ask a failing voice again: 0.5 s, doubled up to 8 s, until it works."""

    def __init__(self) -> None:
        self._at = 0.0
        self._seconds = FIRST_RETRY_SECONDS
        self._count = 0

    @property
    def is_waiting(self) -> bool:
        return asyncio.get_running_loop().time() < self._at

    def may_mend(self, line: Line, speech: Speech) -> bool:
        """The script waits for its voice as long as it takes; an operator's line does not."""
        if not speech.is_retryable:
            return False
        return line.item is not None or self._count < MAX_LINE_RETRIES

    def failed(self, plan: Callable[[], None]) -> None:
        """Plan again after the pause."""
        loop = asyncio.get_running_loop()
        if not self.is_waiting:
            self._count += 1
            self._at = loop.time() + self._seconds
            loop.call_later(self._seconds, plan)
            self._seconds = min(self._seconds * 2, MAX_RETRY_SECONDS)

    def reset(self) -> None:
        """A voice works, or something new is to be said: ask at once."""
        self._at, self._seconds, self._count = 0.0, FIRST_RETRY_SECONDS, 0


class LinePlacer:
    """Places lines in the mixer. plan(): something changed that the script should look at."""

    def __init__(
        self,
        mixer: Mixer,
        speech: SpeechClient,
        stage: Stage,
        lines: LineMaker,
        plan: Callable[[], None],
    ) -> None:
        self._mixer = mixer
        self._speech = speech
        self._stage = stage
        self._lines = lines
        self._plan = plan

    def speech_of(self, line: Line, index: int = 0, generation: int | None = None) -> Speech:
        """The sound of one of its sentences, made from now on if it is not there."""
        sentence = self._lines.sentence(line.sentences[index], line.emotion)
        if self._speech.is_tagged:
            said_in = self._mixer.generation if generation is None else generation
            sentence = replace(sentence, number=line.number, generation=said_in)
        return self._speech.get(sentence, "answer" if line.source == "answer" else "say")

    def place(self, line: Line, speech: Speech | None, *, has_gap: bool) -> OnClock:
        """Schedule a line behind what speaks. speech: of its first sentence; None for silence."""
        segment, pieces = _silence(line), []
        if speech is not None:
            segment, pieces = _first_segment(line, speech), [(0, 0, speech)]
        placement = self._mixer.schedule(
            segment,
            after="queue",
            lead_samples=LEAD_SAMPLES,
            gap_samples=line.gap_samples if has_gap else 0,
        )
        entry = OnClock(line, segment, placement.generation, placement.start_sample, pieces)
        if len(line.sentences) > 1:
            entry.feeder = asyncio.create_task(self._feed(entry))
        self.tell(entry)
        return entry

    def tell(self, entry: OnClock) -> None:
        """Tell the stage what became known: the line's start and the pieces not told before."""
        if entry.start_sample is None:
            return
        if entry.told == 0:
            self._stage.line_placed(entry.line, entry.start_sample)
        for offset, index, speech in entry.pieces[entry.told :]:
            text = entry.line.sentences[index].text
            at = entry.start_sample + offset
            self._stage.piece_placed(Piece(entry.line, index, text, speech, entry.generation, at))
        entry.told = max(len(entry.pieces), 1)

    def revoke(self, entry: OnClock) -> bool:
        """Take a line back that has not begun; False when it has."""
        if not self._mixer.revoke(entry.line.utterance):
            return False
        if entry.told and entry.start_sample is not None:
            self._stage.revoked(entry.line, entry.start_sample)
        return True

    def prefetch(self, rundown: Rundown, position: Cursor | None) -> None:
        """Have the next sentences made; not those whose sound depends on their generation."""
        if self._speech.is_tagged:
            return
        for _ in range(PREFETCHED_SENTENCES):
            if position is None:
                return
            item = rundown.item(position)
            if item.cue is not None and not item.is_silence:
                self._speech.get(self._lines.sentence(item.sentence, item.cue.emotion), "prefetch")
            position = rundown.after(position)

    async def _feed(self, entry: OnClock) -> None:
        try:
            await self._append_all(entry)
        except Exception:
            # The edge of a task: a sound without an end would keep the show silent for ever.
            logger.exception("a line broke off", extra={"utterance_id": entry.line.utterance})
            entry.segment.fail()

    async def _append_all(self, entry: OnClock) -> None:
        """Append the later sentences of an operator's line as they are made."""
        for index in range(1, len(entry.line.sentences)):
            speech = self.speech_of(entry.line, index, entry.generation)
            await speech.done.wait()
            if speech.error:
                entry.segment.fail()
                return
            before = entry.line.sentences[index - 1].pause_after_seconds
            gap = SENTENCE_GAP_SAMPLES + round(before * 48_000)
            entry.segment.append(np.zeros(gap, np.int16))
            entry.pieces.append((entry.segment.available_samples, index, speech))
            entry.segment.append(speech.samples)
            self.tell(entry)
        entry.segment.finish()
        self._plan()


def _silence(line: Line) -> Segment:
    seconds = max(line.item.sentence.pause_after_seconds if line.item else 0.0, 0.02)
    samples = np.zeros(round(seconds * 48_000), np.int16)
    return Segment.complete(line.utterance, samples, line.number)


def _first_segment(line: Line, speech: Speech) -> Segment:
    if len(line.sentences) == 1:
        return Segment.complete(line.utterance, speech.samples, line.number)
    segment = Segment(line.utterance, line.number)
    segment.append(speech.samples)
    return segment
