"""What the presenter is told to say and show: say, interrupt, expression, gesture, clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from accounts.models import User
from accounts.roles import SystemActor, require_permission
from avatars.models import AvatarClip
from inference.catalog import EXPRESSIONS, GESTURES
from inference.text.script import ScriptError, parse_script
from livestudio.common.errors import InvalidInputError
from streams.models import Broadcast, ControlCommand, Utterance
from streams.models.broadcast import UtteranceSource
from streams.services.commands import Order, find_command, issue_command, require_on_air
from streams.services.quotas import require_words

SAY_MAX_CHARACTERS: Final = 2000
RESUME_MAX_SECONDS: Final = 600.0
# A line that was typed for this moment is worth nothing much later.
SAY_DEADLINE_SECONDS: Final = 60.0
# Long enough for a relaunch; after that an interrupt would cut what nobody meant.
INTERRUPT_DEADLINE_SECONDS: Final = 15.0

Actor = User | SystemActor


@dataclass(frozen=True, slots=True)
class Speech:
    """A line to be said. None for expression, gesture, emotion (1..5) = as they are now."""

    text: str
    interrupt: bool = False
    expression: str | None = None
    gesture: str | None = None
    emotion: int | None = None


def say(
    *,
    broadcast: Broadcast,
    speech: Speech,
    actor: Actor,
    idempotency_key: str | None = None,
) -> Utterance:
    """Queue one utterance and answer at once; it is spoken at the next sentence end.

    With `interrupt` it is spoken now and the cut sentence is said again afterwards. Raises
    NotLiveError, InvalidInputError for text that cannot be spoken, QuotaExceededError.
    """
    require_permission(actor, "broadcast.steer", broadcast.organization)
    require_on_air(broadcast)
    _check_speech(speech, broadcast)
    with transaction.atomic():
        known = find_command(broadcast, idempotency_key)
        if known is not None and known.name == "say":
            return Utterance.objects.get(pk=known.args["utterance"])
        require_words(broadcast, speech.text)
        utterance = Utterance.objects.create(
            broadcast=broadcast, source=UtteranceSource.OPERATOR, text=speech.text
        )
        command = issue_command(
            broadcast=broadcast, order=_say_order(utterance, speech, idempotency_key), actor=actor
        )
        return _of_winner(utterance, command)


def interrupt(
    *,
    broadcast: Broadcast,
    actor: Actor,
    resume_after_seconds: float | None = 5.0,
    idempotency_key: str | None = None,
) -> ControlCommand:
    """Stop speech now; the script is held until the next `say` has ended, `resume`, or the time.

    The runner answers `{utterance, generation}`: read it with `commands.wait_for_result`.
    """
    if resume_after_seconds is not None and not 0 <= resume_after_seconds <= RESUME_MAX_SECONDS:
        message = f"Give seconds from 0 to {RESUME_MAX_SECONDS:.0f}, or null to hold."
        raise InvalidInputError.of("resume_after_seconds", message)
    args = {"resume_after_seconds": resume_after_seconds}
    order = Order("interrupt", args, idempotency_key, INTERRUPT_DEADLINE_SECONDS)
    return steer(broadcast, order, actor)


def set_expression(
    *, broadcast: Broadcast, name: str, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Show this expression from now on."""
    _check_choice("name", name, EXPRESSIONS, "expression")
    return steer(broadcast, Order("expression", {"name": name}, idempotency_key), actor)


def play_gesture(
    *, broadcast: Broadcast, name: str, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Make this gesture once."""
    _check_choice("name", name, GESTURES, "gesture")
    return steer(broadcast, Order("gesture", {"name": name}, idempotency_key), actor)


def play_clip(
    *, broadcast: Broadcast, clip: AvatarClip, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Play a recorded motion of the presenter that is on air."""
    if str(clip.avatar_id) != broadcast.snapshot["avatar"]:
        raise InvalidInputError.of("clip", "The presenter on air does not have this clip.")
    return steer(broadcast, Order("clip", {"clip": clip.engine_name}, idempotency_key), actor)


def steer(broadcast: Broadcast, order: Order, actor: Actor) -> ControlCommand:
    """Permission, then the command row: what every steering verb does."""
    require_permission(actor, "broadcast.steer", broadcast.organization)
    with transaction.atomic():
        return issue_command(broadcast=broadcast, order=order, actor=actor)


def check_text(text: str, *, language: str, field: str = "text") -> bool:
    """Whether the text holds anything to speak, besides directives.

    Raises InvalidInputError for text that is empty or holds a directive nobody knows.
    """
    if not text.strip():
        raise InvalidInputError.of(field, "There is nothing to say.", "blank")
    try:
        return any(sentence.text.strip() for sentence in parse_script(text, language))
    except ScriptError as error:
        raise InvalidInputError.of(field, error.message, "bad_directive") from error


def _check_speech(speech: Speech, broadcast: Broadcast) -> None:
    if len(speech.text) > SAY_MAX_CHARACTERS:
        message = f"At most {SAY_MAX_CHARACTERS} characters at once; this has {len(speech.text)}."
        raise InvalidInputError.of("text", message, "max_length")
    if not check_text(speech.text, language=broadcast.snapshot["language"]):
        message = "There is nothing to say besides directives. Use the gesture buttons for those."
        raise InvalidInputError.of("text", message, "blank")
    if speech.expression is not None:
        _check_choice("expression", speech.expression, EXPRESSIONS, "expression")
    if speech.gesture is not None:
        _check_choice("gesture", speech.gesture, GESTURES, "gesture")
    if speech.emotion is not None and not 1 <= speech.emotion <= 5:
        raise InvalidInputError.of("emotion", "Give a whole number from 1 to 5.")


def _check_choice(field: str, value: str, allowed: tuple[str, ...], kind: str) -> None:
    if value not in allowed:
        message = f"There is no {kind} {value!r}. Choose from: {', '.join(allowed)}."
        raise InvalidInputError.of(field, message, "invalid_choice")


def _say_order(utterance: Utterance, speech: Speech, idempotency_key: str | None) -> Order:
    args = {
        "utterance": str(utterance.pk),
        "text": speech.text,
        "interrupt": speech.interrupt,
        "expression": speech.expression,
        "gesture": speech.gesture,
        "emotion": speech.emotion,
        "source": "operator",
    }
    return Order("say", args, idempotency_key, SAY_DEADLINE_SECONDS)


def _of_winner(utterance: Utterance, command: ControlCommand) -> Utterance:
    """The utterance of the row that holds the idempotency key, when two requests raced."""
    if command.args["utterance"] == str(utterance.pk):
        return utterance
    utterance.delete()
    return Utterance.objects.get(pk=command.args["utterance"])
