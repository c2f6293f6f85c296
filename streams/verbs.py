"""The verbs on a broadcast by name, with their bodies: what REST and the console both call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.access import get_row
from accounts.models import User
from accounts.roles import require_permission
from avatars.models import AvatarClip
from inference.catalog import EXPRESSIONS, GESTURES
from livestudio.common.api import flatten_details
from livestudio.common.errors import InvalidInputError, NotFoundError
from streams.access import get_broadcast_output_for, get_output_for
from streams.fields import ChoiceField, FlagField, NumberField, TextField, WholeNumberField
from streams.models import Broadcast, BroadcastOutput, ControlCommand
from streams.models.output import STREAM_KEY_MAX_CHARACTERS
from streams.services import lifecycle, outputs, recordings, rundown, speech
from streams.services.commands import place_to_wait, wait_for_result


class EmptyBody(serializers.Serializer[Any]):
    """A verb without arguments."""


class StopBody(serializers.Serializer[Any]):
    when = ChoiceField(choices=("now", "sentence_end"), default="sentence_end")


class SayBody(serializers.Serializer[Any]):
    # Whitespace at the ends is kept out of captions, so it is not counted either.
    text = TextField(max_length=speech.SAY_MAX_CHARACTERS)
    interrupt = FlagField(default=False)
    expression = ChoiceField(choices=EXPRESSIONS, required=False, allow_null=True)
    gesture = ChoiceField(choices=GESTURES, required=False, allow_null=True)
    emotion = WholeNumberField(min_value=1, max_value=5, required=False, allow_null=True)


class InterruptBody(serializers.Serializer[Any]):
    resume_after_seconds = NumberField(
        min_value=0, max_value=speech.RESUME_MAX_SECONDS, default=5.0, allow_null=True
    )


class TakeBody(serializers.Serializer[Any]):
    cue = serializers.UUIDField()


class ExpressionBody(serializers.Serializer[Any]):
    name = ChoiceField(choices=EXPRESSIONS)


class GestureBody(serializers.Serializer[Any]):
    name = ChoiceField(choices=GESTURES)


class ClipBody(serializers.Serializer[Any]):
    clip = serializers.UUIDField()


class RecordBody(serializers.Serializer[Any]):
    on = FlagField()


class AddOutputBody(serializers.Serializer[Any]):
    output = serializers.UUIDField()


class OutputBody(serializers.Serializer[Any]):
    """For the console only: REST names the output in the address."""

    id = serializers.UUIDField()


class StreamKeyBody(serializers.Serializer[Any]):
    stream_key = TextField(
        max_length=STREAM_KEY_MAX_CHARACTERS, write_only=True, trim_whitespace=False
    )


class OutputKeyBody(OutputBody, StreamKeyBody):
    """For the console only: REST names the output in the address."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a verb. values: the checked body."""

    broadcast: Broadcast
    values: Mapping[str, Any]
    actor: User
    idempotency_key: str | None = None

    @property
    def common(self) -> dict[str, Any]:
        """What most services take besides their own arguments."""
        return {
            "broadcast": self.broadcast,
            "actor": self.actor,
            "idempotency_key": self.idempotency_key,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell at once. command: the row whose result the caller waits for, where it must.

    A consumer with `command` answers `commands.await_result(command)`; see `perform_and_wait`.
    """

    data: dict[str, Any] = field(default_factory=dict)
    command: ControlCommand | None = None


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the contract. permission: what the role must allow, asked before the body is.

    is_answered: the runner's own answer belongs to that of the verb.
    """

    permission: str
    body: type[serializers.Serializer[Any]]
    run: Callable[[Call], Answer]
    is_answered: bool = False


def perform(
    name: str,
    *,
    broadcast: Broadcast,
    body: Any,
    actor: User,
    idempotency_key: str | None = None,
) -> Answer:
    """Check permission and body, then do it. Does not wait for the runner.

    Raises NotFoundError for an unknown verb, ForbiddenError, NotLiveError, InvalidInputError with
    a detail per wrong field.
    """
    verb = VERBS.get(name)
    if verb is None:
        raise NotFoundError(f"There is no command {name[:40]!r}. There are: {', '.join(VERBS)}.")
    require_permission(actor, verb.permission, broadcast.organization)
    values = check_body(verb.body, body)
    return verb.run(Call(broadcast, values, actor, _own_key(actor, name, idempotency_key)))


def _own_key(actor: User, name: str, key: str | None) -> str | None:
    """Two people may use the same key for different things, and one for two verbs.

    Hashed, since "A1" is "a1" to MySQL: the second order would be taken for the first one's repeat.
    """
    if not key:
        return None
    return hashlib.sha256(f"{actor.pk}:{name}:{key}".encode()).hexdigest()


def perform_and_wait(name: str, *, broadcast: Broadcast, **call: Any) -> dict[str, Any]:
    """`perform`, and the runner's answer where the verb has one. Blocks a request thread.

    Raises RunnerUnreachableError too: before anything is written when too many wait already.
    """
    verb = VERBS.get(name)
    is_answered = verb is not None and verb.is_answered
    with place_to_wait(broadcast) if is_answered else nullcontext():
        answer = perform(name, broadcast=broadcast, **call)
        return answer.data if answer.command is None else wait_for_result(answer.command)


def check_body(body_class: type[serializers.Serializer[Any]], body: Any) -> Mapping[str, Any]:
    """The checked values of a body. Raises InvalidInputError with a detail per wrong field."""
    serializer = body_class(data={} if body is None else body)
    try:
        serializer.is_valid(raise_exception=True)
    except ValidationError as error:
        details = tuple(flatten_details(error.detail))
        raise InvalidInputError(details[0].message, details=details) from error
    values: Mapping[str, Any] = serializer.validated_data
    return values


def _stop(call: Call) -> Answer:
    lifecycle.stop_broadcast(**call.common, when=call.values["when"])
    return Answer()


def _say(call: Call) -> Answer:
    utterance = speech.say(**call.common, speech=speech.Speech(**call.values))
    return Answer({"utterance": {"id": str(utterance.pk), "state": utterance.state}})


def _interrupt(call: Call) -> Answer:
    command = speech.interrupt(
        **call.common, resume_after_seconds=call.values["resume_after_seconds"]
    )
    return Answer(command=command)


def _pause(call: Call) -> Answer:
    rundown.pause_script(**call.common)
    return Answer()


def _resume(call: Call) -> Answer:
    rundown.resume_script(**call.common)
    return Answer()


def _skip(call: Call) -> Answer:
    rundown.skip_cue(**call.common)
    return Answer()


def _take(call: Call) -> Answer:
    rundown.take_cue(**call.common, cue_id=str(call.values["cue"]))
    return Answer()


def _expression(call: Call) -> Answer:
    speech.set_expression(**call.common, name=call.values["name"])
    return Answer()


def _gesture(call: Call) -> Answer:
    speech.play_gesture(**call.common, name=call.values["name"])
    return Answer()


def _clip(call: Call) -> Answer:
    clips = AvatarClip.objects.filter(avatar=call.broadcast.snapshot["avatar"])
    try:
        clip = get_row(clips, call.values["clip"], "clip")
    except NotFoundError as error:
        message = "The presenter on air does not have this clip."
        if not clips.exists():
            message = "The presenter on air has no clips."
        raise InvalidInputError.of("clip", message, "unknown_clip") from error
    speech.play_clip(**call.common, clip=clip)
    return Answer()


def _record(call: Call) -> Answer:
    recordings.set_recording(**call.common, on=call.values["on"])
    return Answer()


def _output_add(call: Call) -> Answer:
    try:
        output = get_output_for(call.actor, call.values["output"], "output.view")
    except NotFoundError as error:
        raise InvalidInputError.of("output", "There is no such output.", "not_found") from error
    row = outputs.add_output(**call.common, output=output)
    return Answer({"id": str(row.pk), "output": str(output.pk), "state": row.state})


def _output_start(call: Call) -> Answer:
    outputs.start_output(row=_row(call), actor=call.actor)
    return Answer()


def _output_stop(call: Call) -> Answer:
    outputs.stop_output(row=_row(call), actor=call.actor)
    return Answer()


def _output_replace_key(call: Call) -> Answer:
    outputs.replace_key(row=_row(call), stream_key=call.values["stream_key"], actor=call.actor)
    return Answer()


def _row(call: Call) -> BroadcastOutput:
    return get_broadcast_output_for(
        call.actor, call.broadcast.pk, call.values["id"], "broadcast.view"
    )


STEER: Final = "broadcast.steer"
VERBS: Final[dict[str, Verb]] = {
    "stop": Verb("broadcast.start", StopBody, _stop),
    "say": Verb(STEER, SayBody, _say),
    "interrupt": Verb(STEER, InterruptBody, _interrupt, is_answered=True),
    "pause": Verb(STEER, EmptyBody, _pause),
    "resume": Verb(STEER, EmptyBody, _resume),
    "skip": Verb(STEER, EmptyBody, _skip),
    "take": Verb(STEER, TakeBody, _take),
    "expression": Verb(STEER, ExpressionBody, _expression),
    "gesture": Verb(STEER, GestureBody, _gesture),
    "clip": Verb(STEER, ClipBody, _clip),
    "record": Verb(STEER, RecordBody, _record),
    "output_add": Verb(STEER, AddOutputBody, _output_add),
    "output_start": Verb(STEER, OutputBody, _output_start),
    "output_stop": Verb(STEER, OutputBody, _output_stop),
    "output_replace_key": Verb("broadcast.replace_key", OutputKeyBody, _output_replace_key),
}
