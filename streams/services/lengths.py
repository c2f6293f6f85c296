"""How long a show takes, estimated from its texts before anybody has spoken them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from inference.protocol import Cursor
from inference.text.script import ScriptError, ScriptSentence, parse_script
from streams.models import Cue, Show
from streams.models.rundown import CueKind
from streams.models.show import Ends, RundownMode

# Spoken by the built-in voices at their usual rate: Han characters (and digits, which are read
# out one by one), and Latin letters with their blanks; measured on the demo show.
HAN_PER_SECOND: Final = 3.7
LATIN_PER_SECOND: Final = 16.0
SENTENCE_GAP_SECONDS: Final = 0.16
SHORTEST: Final = timedelta(minutes=5)
_FIRST_HAN: Final = "\u2e80"


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence of a rundown. sentence: its number in the cue."""

    cue: str
    sentence: int
    seconds: float


def estimate_text_seconds(text: str, language: str) -> float:
    """Seconds that the voice needs for a cue text, pauses included. Bad text counts as 0."""
    try:
        sentences = parse_script(text, language)
    except ScriptError:
        return 0.0
    return sum(_seconds(sentence) for sentence in sentences)


def estimate_cue_seconds(cue: Cue, language: str) -> float:
    """Seconds of one cue; a clip's own length is not known here and counts as 0."""
    if cue.kind == CueKind.PAUSE:
        return cue.pause_seconds
    return estimate_text_seconds(cue.text, language) if cue.kind == CueKind.SPEECH else 0.0


def estimate_rundown_seconds(cues: Iterable[Cue], language: str) -> float:
    """Seconds of the whole rundown, once through."""
    return sum(estimate_cue_seconds(cue, language) for cue in cues)


def planned_length(show: Show) -> timedelta | None:
    """How long an airing of the show will take; None when it ends by hand or not at all."""
    if show.ends == Ends.AFTER_DURATION and show.duration_minutes:
        return timedelta(minutes=show.duration_minutes)
    if show.ends == Ends.AFTER_RUNDOWN and show.rundown_mode == RundownMode.ONCE:
        seconds = estimate_rundown_seconds(show.cues.all(), show.language)
        return max(SHORTEST, timedelta(seconds=seconds))
    return None


def position_after(show: Show, seconds: float) -> Cursor | None:
    """Where the show is so many seconds after its start; None when it is over by then.

    A sentence that is being said then counts as the next one: it is said from its beginning.
    """
    length = show.duration_minutes
    if show.ends == Ends.AFTER_DURATION and length and seconds >= length * 60:
        return None
    steps = _steps(show)
    once = sum(step.seconds for step in steps)
    if show.rundown_mode == RundownMode.LOOP and once > 0:
        return _in_loops(steps, once, show.loop_pause_seconds, seconds)
    if seconds < once:
        return _in_steps(steps, seconds, loop=0)
    return None if show.ends == Ends.AFTER_RUNDOWN else Cursor(finished=True)


def clock_text(seconds: float) -> str:
    """`1:05` or `1:02:03`, as an on-air clock shows it."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _in_loops(steps: Sequence[Step], once: float, pause: float, seconds: float) -> Cursor:
    """Every loop but the first begins with the pause."""
    if seconds < once:
        return _in_steps(steps, seconds, loop=0)
    loop, rest = divmod(seconds - once, pause + once)
    number = int(loop) + 1
    return Cursor(loop=number) if rest < pause else _in_steps(steps, rest - pause, loop=number)


def _in_steps(steps: Sequence[Step], seconds: float, *, loop: int) -> Cursor:
    for step in steps:
        if seconds < step.seconds:
            return Cursor(step.cue, step.sentence, loop)
        seconds -= step.seconds
    return Cursor(steps[-1].cue, steps[-1].sentence, loop)


def _steps(show: Show) -> list[Step]:
    """The sentences as the runner numbers them, in order."""
    steps: list[Step] = []
    for cue in show.cues.order_by("position", "created_at"):
        if cue.kind == CueKind.PAUSE:
            steps.append(Step(str(cue.pk), 0, cue.pause_seconds))
        elif cue.kind == CueKind.SPEECH:
            sentences = enumerate(_parse(cue.text, show.language))
            steps += [Step(str(cue.pk), number, _seconds(item)) for number, item in sentences]
    return steps


def _parse(text: str, language: str) -> tuple[ScriptSentence, ...]:
    try:
        return parse_script(text, language)
    except ScriptError:
        return ()


def _seconds(sentence: ScriptSentence) -> float:
    if not sentence.text.strip():
        return sentence.pause_after_seconds
    read = [character for character in sentence.text if character.isalnum() or character == " "]
    slow = sum(character >= _FIRST_HAN or character.isdigit() for character in read)
    spoken = slow / HAN_PER_SECOND + (len(read) - slow) / LATIN_PER_SECOND
    return spoken + SENTENCE_GAP_SECONDS + sentence.pause_after_seconds
