"""The rundown as positions: which sentence comes after which, over cues and loops."""

from __future__ import annotations

from dataclasses import dataclass

from inference.protocol import SAMPLE_RATE_HZ, CueSpec, Cursor, RunnerSpec
from inference.text.script import ScriptError, ScriptSentence, parse_script


class UnknownCueError(LookupError):
    """There is no such cue in this broadcast's rundown."""


@dataclass(frozen=True, slots=True)
class Item:
    """One step of the rundown. cue None: the pause before a loop.

    sentence: with an empty text it is silence of `pause_after_seconds`.
    """

    position: Cursor
    cue: CueSpec | None
    sentence: ScriptSentence

    @property
    def is_silence(self) -> bool:
        return not self.sentence.text

    @property
    def clip(self) -> str | None:
        """The recorded motion that plays in this silence."""
        return self.cue.clip if self.cue is not None and self.cue.kind == "clip" else None


class Rundown:
    """Moves over cues and loops. A position with cue None is the start of a loop."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._loops = spec.rundown_mode == "loop"
        self._loop_pause_seconds = spec.loop_pause_seconds
        self._seconds = spec.duration_seconds if spec.ends == "after_duration" else None
        self._cues = [(cue, _sentences(cue, spec)) for cue in spec.cues]
        self._cues = [(cue, said) for cue, said in self._cues if said]

    @property
    def is_empty(self) -> bool:
        """Nothing can be said: every cue is empty."""
        return not self._cues

    def is_time_over(self, sample: int) -> bool:
        """Whether the planned duration has passed. sample: of the media clock."""
        return self._seconds is not None and sample / SAMPLE_RATE_HZ >= self._seconds

    def start(self, cursor: Cursor) -> Cursor | None:
        """The nearest real position at or after a stored one; None when the rundown is over."""
        if self.is_empty:
            return None
        if cursor.cue is None:
            return self._loop_start(cursor.loop)
        index = self._index(cursor.cue)
        if index is None:
            return self._loop_start(cursor.loop)
        if cursor.sentence < len(self._cues[index][1]):
            return cursor
        return self._cue_after(index, cursor.loop)

    def item(self, position: Cursor) -> Item:
        """What is to be said at a position that `start`, `after` or `cue_start` gave."""
        if position.cue is None:
            return Item(position, None, ScriptSentence("", (), self._loop_pause_seconds))
        cue, sentences = self._cues[self._require(position.cue)]
        return Item(position, cue, sentences[position.sentence])

    def after(self, position: Cursor) -> Cursor | None:
        """The position behind this one, None at the end of a rundown that does not loop."""
        if position.cue is None:
            return Cursor(self._cues[0][0].id, 0, position.loop)
        index = self._require(position.cue)
        if position.sentence + 1 < len(self._cues[index][1]):
            return Cursor(position.cue, position.sentence + 1, position.loop)
        return self._cue_after(index, position.loop)

    def next_cue(self, position: Cursor) -> Cursor | None:
        """The start of the cue behind this position's."""
        if position.cue is None:
            return self.after(position)
        return self._cue_after(self._require(position.cue), position.loop)

    def cue_start(self, cue: str, loop: int) -> Cursor:
        """The first sentence of a cue. Raises UnknownCueError."""
        return Cursor(self._cues[self._require(cue)][0].id, 0, loop)

    def _index(self, cue: str) -> int | None:
        return next((i for i, (spec, _) in enumerate(self._cues) if spec.id == cue), None)

    def _require(self, cue: str) -> int:
        index = self._index(cue)
        if index is None:
            raise UnknownCueError("this cue is not in the rundown on air, or has nothing to say")
        return index

    def _cue_after(self, index: int, loop: int) -> Cursor | None:
        if index + 1 < len(self._cues):
            return Cursor(self._cues[index + 1][0].id, 0, loop)
        return self._loop_start(loop + 1) if self._loops else None

    def _loop_start(self, loop: int) -> Cursor:
        if loop and self._loop_pause_seconds > 0:
            return Cursor(None, 0, loop)
        return Cursor(self._cues[0][0].id, 0, loop)


def _sentences(cue: CueSpec, spec: RunnerSpec) -> tuple[ScriptSentence, ...]:
    """The sentences of a cue. A text that cannot be parsed is said as it stands.

    A clip is silence as long as it plays; one that the presenter on air does not have is skipped.
    """
    if cue.kind == "pause":
        return (ScriptSentence("", (), cue.pause_seconds),) if cue.pause_seconds > 0 else ()
    if cue.kind == "clip":
        lasts_ms = spec.avatar.clips.get(cue.clip or "", 0)
        return (ScriptSentence("", (), lasts_ms / 1000),) if lasts_ms > 0 else ()
    try:
        return parse_script(cue.text, spec.language)
    except ScriptError:
        return (ScriptSentence(cue.text),) if cue.text.strip() else ()
