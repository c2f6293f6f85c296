"""Carries out the operator's commands: one function per verb, each answers in data or refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.catalog import EXPRESSIONS, GESTURES
from inference.closing_spec import TellQuota
from inference.protocol import (
    AddOutput,
    Interrupt,
    Json,
    Pause,
    PlayClip,
    PlayGesture,
    ReplaceOutputKey,
    Resume,
    Say,
    SetExpression,
    SetRecording,
    Skip,
    StartOutput,
    Stop,
    StopOutput,
    Take,
    encode,
)
from inference.runner.lines import LineRefusedError
from inference.runner.link import CommandRefused
from inference.runner.output_board import UnknownOutputError
from inference.runner.rundown import UnknownCueError
from inference.text.script import ScriptError

if TYPE_CHECKING:
    from inference.runner.session import Session


class CommandDesk:
    """Commands of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def execute(self, command: Any) -> Json | None:
        """Carry out one decoded command. Raises CommandRefused."""
        try:
            return await self._execute(command)
        except UnknownCueError as error:
            raise CommandRefused("unknown_cue", str(error)) from error
        except UnknownOutputError as error:
            raise CommandRefused("unknown_output", str(error)) from error
        except ScriptError as error:
            raise CommandRefused("invalid_text", error.message) from error
        except LineRefusedError as error:
            raise CommandRefused(error.code, error.message) from error

    async def _execute(self, command: Any) -> Json | None:
        match command:
            case Stop():
                is_now = command.when == "now"
                self._session.end(command.reason, now=is_now, closing=command.closing)
            case TellQuota(level=level):
                told = {name: value for name, value in encode(command).items() if name != "level"}
                self._session.link.emit(f"quota.{level}", told)
            case Interrupt():
                return self._interrupt(command)
            case Say() | Pause() | Resume() | Skip() | Take():
                self._steer_script(command)
            case SetExpression() | PlayGesture() | PlayClip():
                self._perform(command)
            case _:
                self._steer_output(command)
        return None

    def _interrupt(self, command: Interrupt) -> Json:
        cut = self._session.script.interrupt(command)
        return {
            "utterance": cut.utterance,
            "generation": cut.generation,
            "played_ms": cut.played_samples // 48,
        }

    def _steer_script(self, command: Say | Pause | Resume | Skip | Take) -> None:
        script = self._session.script
        match command:
            case Say():
                script.say(command)
            case Pause():
                script.pause()
            case Resume():
                script.resume()
            case Take():
                script.take(command.cue)
            case Skip():
                if not script.skip():
                    raise CommandRefused("nothing_to_skip", "The rundown has ended.")

    def _perform(self, command: SetExpression | PlayGesture | PlayClip) -> None:
        director = self._session.director
        match command:
            case SetExpression(name) if name in EXPRESSIONS:
                director.set_expression(name)
            case PlayGesture(name) if name in GESTURES:
                director.play_gesture(name)
            case PlayClip(name) if name in self._session.spec.avatar.clips:
                director.play_clip(name)
            case PlayClip(name):
                known = ", ".join(self._session.spec.avatar.clips)
                words = f"no clip {name}; it has: {known}" if known else "no clips"
                raise CommandRefused("unknown_clip", f"This presenter has {words}.")
            case SetExpression(name):
                names = ", ".join(EXPRESSIONS)
                raise CommandRefused("unknown_expression", f"{name} is none of: {names}.")
            case PlayGesture(name):
                raise CommandRefused(
                    "unknown_gesture", f"{name} is none of: {', '.join(GESTURES)}."
                )

    def _steer_output(self, command: Any) -> None:
        outputs = self._session.outputs
        match command:
            case AddOutput():
                outputs.add(command.output)
            case StartOutput():
                outputs.start(command.id)
            case StopOutput():
                outputs.stop(command.id)
            case ReplaceOutputKey():
                outputs.replace_key(command.id, command.stream_key)
            case SetRecording():
                outputs.set_recording(on=command.on)
