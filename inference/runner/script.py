"""Decides what is said next: the rundown, the operator's lines, interrupts, the cursor.

All on the event loop. After each change `_plan` compares what should come next with what waits in
the mixer and corrects it, so that a command only sets state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from inference.closing_spec import Closing
from inference.protocol import Cursor, Interrupt, Json, RunnerSpec, Say, ScriptState
from inference.runner.lines import (
    Delays,
    Line,
    LineMaker,
    LineRefusedError,
    OnClock,
    Stage,
    cursor_data,
    utterance_data,
)
from inference.runner.mixer import Interruption, Mixer
from inference.runner.placing import LinePlacer, Retry
from inference.runner.rundown import Rundown
from inference.workers.speech_client import Speech, SpeechClient

MAX_SAYS: Final = 32
_RUNDOWN_OVER: Final = "the rundown has ended"


class Script:
    """The brain of a broadcast. emit(kind, data): an event. on_end(reason): it has ended."""

    def __init__(
        self,
        spec: RunnerSpec,
        mixer: Mixer,
        speech: SpeechClient,
        stage: Stage,
        *,
        emit: Callable[[str, Json], Any],
        on_end: Callable[[str], None],
    ) -> None:
        self._spec = spec
        self._mixer = mixer
        self._stage = stage
        self._emit = emit
        self._on_end = on_end
        self._rundown = Rundown(spec)
        self._lines = LineMaker(self._rundown, spec.language)
        self._placer = LinePlacer(mixer, speech, stage, self._lines, self._plan)
        self._retry = Retry()
        self._says: deque[Line] = deque()
        self._speaking: OnClock | None = None
        self._waiting: OnClock | None = None
        self._upcoming: Line | None = None
        self._heard: tuple[str, int] | None = None  # the cue and loop of the last script line
        self._said_in = -1  # the loop of the last item that was said
        self._jump = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ending: str | None = None
        self._has_begun = self._has_ended = False
        self._awaited: asyncio.TimerHandle | None = None
        self.delays = Delays()
        self.position: Cursor | None = None
        self.state: ScriptState = "running"

    def start(self, cursor: Cursor, state: ScriptState, says: tuple[Say, ...] = ()) -> None:
        """Begin at a cursor, in the state that a runner before this one left.

        says: the operator's lines that it accepted and had not said. A hold stays until `resume`
        or the next `say`: its seconds are not known any more.
        """
        is_over = state == "finished" or cursor.finished
        self.position = None if is_over else self._rundown.start(cursor)
        self.state = "finished" if is_over else state
        self._says.extend(map(self._lines.operator_line, says))
        for line in self._says:
            self._tell(line, "queued")  # the one that was cut too: a second crash must not lose it
        if self._ending is not None:
            self._drop_says()
        self._tell_cursor()
        self._tell_state("")
        self._has_begun = True
        self._plan()

    def await_presenter(self, seconds: float) -> None:
        """Say nothing of the rundown before `presenter_is_there`, or for so long at most."""
        self._awaited = asyncio.get_running_loop().call_later(seconds, self.presenter_is_there)

    def presenter_is_there(self) -> None:
        """Its mouth moves now, or it will not: the rundown begins."""
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None
            self._plan()

    def warm(self, cursor: Cursor) -> None:
        """Have the first sentences made before the clock runs."""
        self._placer.prefetch(self._rundown, self._rundown.start(cursor))

    def end(self, reason: str, *, now: bool, closing: Closing | None = None) -> None:
        """Say nothing new; `on_end` follows when the sentence has ended, at once with `now`.

        closing: is heard or shown behind the sentence, and then nothing more.
        """
        self._ending = reason
        self._drop_says()
        if closing is not None and not now:
            self._says.append(self._lines.closing_line(closing))
        if now or (self._speaking and self._speaking.line.is_silence):
            self.cut()
        self._plan()

    def close(self) -> None:
        self._has_ended = True
        self._cancel_timer()
        self.presenter_is_there()
        for entry in filter(None, (self._speaking, self._waiting)):
            self._forget(entry)

    def say(self, command: Say) -> None:
        """Speak an operator's line: at the next sentence end, or at once.

        Raises ScriptError when the text holds an unknown directive or nothing to say, and
        LineRefusedError when the broadcast ends or too many lines wait.
        """
        if self._ending is not None or self._has_ended:
            raise LineRefusedError("not_live", "The broadcast is ending; nothing new is said.")
        if len(self._says) >= MAX_SAYS:
            raise LineRefusedError("busy", f"{MAX_SAYS} lines wait already; say it again later.")
        line = self._lines.operator_line(command)
        self._retry.reset()  # it does not wait for what failed before it
        self.delays.asked(line.utterance)
        if command.interrupt:
            self.cut()
            self._says.appendleft(line)
        else:
            self._says.append(line)
            if self._speaking and self._speaking.line.is_silence:
                self.cut()
        self._tell(line, "queued")
        self._plan()

    def interrupt(self, command: Interrupt) -> Interruption:
        """Stop speech at once and hold the script. Returns what was cut."""
        if self.state == "running":
            self._set_state("held", "interrupted by the operator")
        interruption = self.cut()
        self.delays.cut(interruption.utterance)
        self._cancel_timer()
        if command.resume_after_seconds is not None and self.state == "held":
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(command.resume_after_seconds, self.resume)
        self._plan()
        return interruption

    def pause(self) -> None:
        """Hold the script at the next sentence end."""
        self._cancel_timer()
        if self.state != "finished":
            self._set_state("paused", "paused by the operator")
        if self._speaking and self._speaking.line.is_silence:
            self.cut()
        self._plan()

    def resume(self) -> None:
        """Go on with the script."""
        self._cancel_timer()
        if self.state in ("paused", "held"):
            self._set_state("running", "")
        self._plan()

    def skip(self) -> bool:
        """End the current cue; False when the script has no cue to end."""
        if (position := self.position) is None:
            return False
        target = self._rundown.next_cue(position)
        if self._speaking and self._speaking.line.item:
            self.cut()
        self._move_to(target)
        return True

    def take(self, cue: str) -> None:
        """Jump to a cue at the sentence end. Raises UnknownCueError."""
        loop = self.position.loop if self.position else 0
        target = self._rundown.cue_start(cue, loop)
        if self._speaking and self._speaking.line.is_silence:
            self.cut()
        if self.state == "finished":
            self._set_state("running", "")
        self._move_to(target)

    def cut(self) -> Interruption:
        """Raise the generation: nothing that was scheduled is heard any more."""
        interruption = self._mixer.interrupt()
        self._was_cut(interruption)
        return interruption

    def placed(self, utterance: str, start_sample: int) -> None:
        """The start of a waiting line is known now."""
        if self._waiting and self._waiting.line.utterance == utterance:
            self._waiting.start_sample = start_sample
            self._placer.tell(self._waiting)

    def started(self, utterance: str, generation: int, sample: int) -> None:
        """Its first sample leaves the clock."""
        if (entry := self._waiting) is None or entry.line.utterance != utterance:
            return
        self._speaking, self._waiting = entry, None
        self.delays.began(utterance)
        entry.start_sample = sample
        if self._says and self._says[0] is entry.line:
            self._says.popleft()
        if self._upcoming is entry.line:
            self._upcoming = None
        if not entry.line.is_silence:
            self._tell(entry.line, "speaking", entry)
        self._cue_heard(entry.line, sample)
        self._plan()

    def finished(self, utterance: str, generation: int, played: int, *, completed: bool) -> None:
        """Its last sample has left the clock; only now it counts as said."""
        if (entry := self._speaking) is None or entry.line.utterance != utterance:
            self._failed_before_start(utterance)
            return
        self._speaking = None
        self.delays.ended(utterance)
        self._forget(entry)
        if completed or (entry.line.item is not None and entry.line.item.clip):
            self._said(entry, played)  # a clip that began plays on, whatever is said over it
        elif not entry.line.is_silence:
            state = "failed" if entry.segment.has_failed else "interrupted"
            self._tell(entry.line, state, entry, played=played)
            if self._says and self._says[0] is entry.line:
                self._tell(entry.line, "queued")  # the clock jumped over it
        if not entry.is_cut:
            self._end_hold(entry.line)
        self._look_at_cue()
        self._plan()

    def speech_made(self, speech: Speech) -> None:
        """A sentence was made, or no voice could make it."""
        if not speech.error:
            self._retry.reset()
        elif speech.is_retryable:
            self._retry.failed(self._plan)
        self._plan()

    def look_again(self) -> None:
        """Now and then: the planned duration may have passed, in a long pause too."""
        if self._is_time_over() and self._speaking and self._speaking.line.is_silence:
            self.cut()
        self._plan()

    def rebased(self, interruption: Interruption) -> None:
        """The clock jumped; what was on it before was cut and will be said again."""
        self._was_cut(interruption)
        if self._speaking and self._speaking.is_cut and self._speaking.line.item is None:
            self._says.appendleft(self._speaking.line)
        self._plan()

    def _plan(self) -> None:
        if self._has_ended or not self._has_begun:
            return
        wanted = self._wanted()
        if self._waiting is not None and self._waiting.line is not wanted:
            if not self._placer.revoke(self._waiting):
                return  # it has just begun; `started` comes and plans again
            self._forget_waiting()
        if wanted is None:
            self._check_end()
        elif self._waiting is None and not self._retry.is_waiting:
            self._place(wanted)
        if self._ending is None and not self._retry.is_waiting:
            self._placer.prefetch(self._rundown, self._next_position())

    def _wanted(self) -> Line | None:
        if self._says:
            return self._says[0]
        if self._ending is not None or self._awaited is not None:
            return None
        position = self._next_position()
        if self.state != "running" or position is None or self._is_time_over():
            return None
        line, place = self._upcoming, (position, self._jump)
        if line is None or line.item is None or (line.item.position, line.jump) != place:
            line = self._upcoming = self._lines.script_line(position, self._jump, self._speaking)
        return line

    def _next_position(self) -> Cursor | None:
        """The script's sentence behind the one that speaks."""
        speaking = self._speaking
        if self.position is None or speaking is None or speaking.is_cut:
            return self.position
        if speaking.line.item is None or speaking.line.jump != self._jump:
            return self.position
        return self._rundown.after(self.position)

    def _check_end(self) -> None:
        """Nothing is wanted and nothing speaks: is the broadcast over?"""
        if self._speaking or self._waiting:
            return
        over = self._ending or ("the planned duration has passed" if self._is_time_over() else "")
        if not over and self.position is None and self.state in ("running", "finished"):
            self._set_state("finished", _RUNDOWN_OVER)
            over = _RUNDOWN_OVER if self._spec.ends == "after_rundown" else ""
        if over:
            self._has_ended = True
            self._on_end(over)

    def _is_time_over(self) -> bool:
        return self._rundown.is_time_over(self._mixer.position)

    def _place(self, line: Line) -> None:
        """Hand a line to the mixer if its first sentence has been made."""
        speech = None if line.is_silence else self._placer.speech_of(line)
        if speech is None or speech.is_ready:
            self._waiting = self._placer.place(line, speech, has_gap=self._speaking is not None)
        elif speech.error and self._retry.may_mend(line, speech):
            self._placer.speech_of(line)  # it was told its failure; asked again, it is tried again
        elif speech.error and self._speaking is None:
            self._give_up(line, speech.error)

    def _said(self, entry: OnClock, played: int) -> None:
        line = entry.line
        if line.item is not None and line.jump == self._jump and self.position is not None:
            self.position = self._rundown.after(self.position)
        if not line.is_silence:
            self._tell(line, "said", entry, played=played)
        if line.item is not None:
            self._said_in = line.item.position.loop
            self._tell_cursor()

    def _cue_heard(self, line: Line, sample: int) -> None:
        if line.item is None:
            return  # the operator speaks; the cue under way goes on after it
        cue, at = line.item.cue, line.item.position
        if cue is None:
            self._look_at_cue(is_pause=True)
            return
        self._heard = (cue.id, at.loop)
        self._stage.cue_heard(cue, sample)

    def _look_at_cue(self, *, is_pause: bool = False) -> None:
        """Tell the stage when the cue that was heard is not the one to go on with.

        While something speaks it is not over. A cut sentence is said again: neither then.
        """
        if self._heard is None or (self._speaking is not None and not is_pause):
            return
        at = self.position
        if is_pause or at is None or (at.cue, at.loop) != self._heard:
            self._heard = None
            self._stage.cue_left()

    def _end_hold(self, line: Line) -> None:
        """A hold lasts until the operator's next line has ended, however it ended."""
        if line.item is None and self.state == "held" and not self._says:
            self.resume()

    def _give_up(self, line: Line, reason: str) -> None:
        """No voice could say it: tell it, and go on behind it rather than stop the show."""
        self._tell(line, "failed", reason=reason)
        if self._says and self._says[0] is line:
            self._says.popleft()
            self._end_hold(line)
        elif line.item is not None and self.position is not None:
            self._pass_over(line.item.position)
        asyncio.get_running_loop().call_soon(self._plan)

    def _pass_over(self, at: Cursor) -> None:
        target = self._rundown.after(at)
        if target is not None and target.loop > at.loop and self._said_in != at.loop:
            self._retry.failed(self._plan)  # a whole round: the next one would fail at once, too
        self._go_to(target)

    def _failed_before_start(self, utterance: str) -> None:
        """A growing line lost its voice before its first sample."""
        if self._waiting and self._waiting.line.utterance == utterance:
            line = self._waiting.line
            self._forget_waiting()
            self._give_up(line, "the voice failed")

    def _was_cut(self, interruption: Interruption) -> None:
        if self._speaking and self._speaking.line.utterance == interruption.utterance:
            self._speaking.is_cut = True
        # A jump is heard of late: what was placed since is on the new clock.
        if self._waiting and self._waiting.generation < interruption.generation:
            self._forget_waiting()
        self._stage.cut(interruption)

    def _forget(self, entry: OnClock) -> None:
        if entry.feeder is not None:
            entry.feeder.cancel()
        if self._upcoming is entry.line:
            self._upcoming = None

    def _forget_waiting(self) -> None:
        if self._waiting is not None:
            self._forget(self._waiting)
            self._waiting = None

    def _drop_says(self) -> None:
        for line in self._says:
            if not line.is_silence:
                self._tell(line, "dropped")
        self._says.clear()

    def _move_to(self, target: Cursor | None) -> None:
        self._go_to(target)
        self._plan()

    def _go_to(self, target: Cursor | None) -> None:
        self._jump += 1
        self.position = target
        self._tell_cursor()
        self._look_at_cue()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set_state(self, state: ScriptState, reason: str) -> None:
        if state != self.state:
            self.state = state
            self._tell_state(reason)

    def _tell_state(self, reason: str) -> None:
        self._emit("script.state", {"script": self.state, "reason": reason})

    def _tell_cursor(self) -> None:
        self._emit("cursor", cursor_data(self.position))

    def _tell(
        self, line: Line, state: str, entry: OnClock | None = None,
        *, played: int | None = None, reason: str = "",
    ) -> None:  # fmt: skip
        data = utterance_data(line, state, entry, played)
        data["reason"] = reason
        if entry is None:
            data["generation"] = self._mixer.generation
        if state == "said" and line.item is not None:
            # With the cursor in the same event no crash can separate them.
            data["next"] = cursor_data(self.position)
        self._emit("utterance", data)
