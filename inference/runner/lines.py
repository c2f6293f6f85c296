"""Utterances on their way: what a line is, how the rundown and the operator make one."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Final, Protocol

from inference.closing_spec import Closing
from inference.protocol import (
    CardSpec,
    CueSpec,
    Cursor,
    Json,
    Say,
    UtteranceSource,
    encode,
)
from inference.runner.mixer import Interruption, Segment
from inference.runner.rundown import Item, Rundown
from inference.text.script import ScriptError, ScriptSentence, parse_script
from inference.workers.speech_client import Sentence, Speech

SAMPLES_PER_MS: Final = 48
SENTENCE_GAP_SAMPLES: Final = 160 * SAMPLES_PER_MS
CUE_GAP_SAMPLES: Final = 320 * SAMPLES_PER_MS


class LineRefusedError(Exception):
    """An operator's line is not taken. code: snake_case; message: words for the operator."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance to be: its sentences, where it comes from, how it is said.

    item: of the rundown, None for the operator's lines. jump: script lines of an older jump do not
    move the cursor. gap_samples: silence before it.
    """

    utterance: str
    source: UtteranceSource
    text: str
    sentences: tuple[ScriptSentence, ...]
    number: int
    emotion: int = 3
    expression: str | None = None
    gesture: str | None = None
    item: Item | None = None
    jump: int = 0
    gap_samples: int = SENTENCE_GAP_SAMPLES

    @property
    def is_silence(self) -> bool:
        return self.item is not None and self.item.is_silence


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence on the clock, as face, captions and viewers follow it."""

    line: Line
    index: int
    text: str
    speech: Speech
    generation: int
    start_sample: int


class Stage(Protocol):
    """What follows the speech: face, captions, viewers' pages."""

    def line_placed(self, line: Line, start_sample: int) -> None: ...

    def piece_placed(self, piece: Piece) -> None: ...

    def revoked(self, line: Line, start_sample: int) -> None:
        """It was placed and is taken back before its start; nothing of it may show."""

    def cut(self, interruption: Interruption) -> None: ...

    def cue_heard(self, cue: CueSpec, sample: int) -> None:
        """A sentence (or the silence) of this cue begins to leave the clock at `sample`."""

    def cue_left(self) -> None:
        """The cue that was heard last is over: said to its end, skipped or left for another."""


@dataclass(slots=True)
class OnClock:
    """A line handed to the mixer. pieces: (offset in samples, sentence index, its speech)."""

    line: Line
    segment: Segment
    generation: int
    start_sample: int | None
    pieces: list[tuple[int, int, Speech]] = field(default_factory=list)
    told: int = 0
    is_cut: bool = False
    feeder: asyncio.Task[None] | None = None


class Delays:
    """How long the operator waits, in ms, of the last time: from `say` to sound, from `interrupt`
    to silence. A line that waited for a sentence to end is counted with that wait."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._cut: tuple[str | None, float] = (None, 0.0)
        self.first_audio_ms: int | None = None
        self.interrupt_ms: int | None = None

    def asked(self, utterance: str) -> None:
        self._asked[utterance] = time.monotonic()

    def began(self, utterance: str) -> None:
        asked = self._asked.pop(utterance, None)
        if asked is not None:
            self.first_audio_ms = round((time.monotonic() - asked) * 1000)

    def cut(self, utterance: str | None) -> None:
        self._cut = (utterance, time.monotonic())

    def ended(self, utterance: str) -> None:
        if self._cut[0] == utterance:
            self.interrupt_ms = round((time.monotonic() - self._cut[1]) * 1000)


class LineMaker:
    """Turns rundown positions and operator's commands into lines, numbering them."""

    def __init__(self, rundown: Rundown, language: str) -> None:
        self._rundown = rundown
        self._language = language
        self._numbers = itertools.count(1)

    def script_line(self, position: Cursor, jump: int, behind: OnClock | None) -> Line:
        """The line of a position. behind: what speaks before it, for the gap."""
        item = self._rundown.item(position)
        is_first = position.sentence == 0
        cue = item.cue
        return Line(
            utterance=str(uuid.uuid4()),
            source="script",
            text=item.sentence.text,
            sentences=(item.sentence,),
            number=next(self._numbers),
            emotion=cue.emotion if cue else 3,
            expression=cue.expression if cue and is_first else None,
            gesture=cue.gesture if cue and is_first else None,
            item=item,
            jump=jump,
            gap_samples=_gap(behind, is_first=is_first),
        )

    def operator_line(self, command: Say) -> Line:
        """The line of a `say`. Raises ScriptError for an unknown directive or an empty text."""
        sentences = parse_script(command.text, self._language)
        spoken = tuple(sentence for sentence in sentences if sentence.text)
        if not spoken:
            raise ScriptError("There is nothing to say in this text.", 0)
        return Line(
            utterance=command.utterance,
            source=command.source,
            text=command.text,
            sentences=spoken,
            number=next(self._numbers),
            emotion=command.emotion or 3,
            expression=command.expression,
            gesture=command.gesture,
        )

    def closing_line(self, closing: Closing) -> Line:
        """What is heard, or shown in silence, before the broadcast ends."""
        is_card = closing.kind == "card"
        pause_seconds = closing.seconds if is_card else 0.0
        sentence = ScriptSentence("" if is_card else closing.text, (), pause_seconds)
        cue = CueSpec("closing", "pause", card=CardSpec(closing.text))
        return Line(
            utterance=closing.utterance,
            source="operator",
            text=closing.text,
            sentences=(sentence,),
            number=next(self._numbers),
            # Of no place in the rundown: the cursor stays where it is.
            item=Item(Cursor(cue.id), cue, sentence) if is_card else None,
            jump=-1,
        )

    def sentence(self, sentence: ScriptSentence, emotion: int) -> Sentence:
        """The request to the voice, in the language its characters tell."""
        language = language_of(sentence.text, self._language)
        return Sentence(sentence.text, language, emotion, sentence.directives)


def _gap(behind: OnClock | None, *, is_first: bool) -> int:
    gap = CUE_GAP_SAMPLES if is_first else SENTENCE_GAP_SAMPLES
    if behind is None or behind.line.is_silence:
        return gap
    return gap + round(behind.line.sentences[-1].pause_after_seconds * 48_000)


def utterance_data(line: Line, state: str, entry: OnClock | None, played: int | None) -> Json:
    """The fields of an `utterance` event. entry: of a line on the clock; played: in samples."""
    at = line.item.position if line.item else None
    start = entry.start_sample if entry else None
    total = entry.segment.total_samples if entry else None
    return {
        "id": line.utterance,
        "source": line.source,
        "cue": at.cue if at else None,
        "sentence": at.sentence if at else None,
        "loop": at.loop if at else None,
        "text": line.text,
        "generation": entry.generation if entry else 0,
        "state": state,
        "media_time_ms": None if start is None else start // SAMPLES_PER_MS,
        "played_ms": None if played is None else played // SAMPLES_PER_MS,
        "duration_ms": None if total is None else total // SAMPLES_PER_MS,
    }


def cursor_data(at: Cursor | None) -> Json:
    """The fields of a `cursor` event."""
    return encode(at if at is not None else Cursor(finished=True))


def language_of(text: str, default: str) -> str:
    """The language a sentence is spoken in: by its characters, else the show's."""
    if any("\u3400" <= character <= "\u9fff" for character in text):
        return "zh-CN"
    has_latin = any(character.isascii() and character.isalpha() for character in text)
    return "en-US" if has_latin else default
