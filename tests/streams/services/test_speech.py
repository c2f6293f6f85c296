"""Steering called by other code than the API: the services hold the rules themselves."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.roles import SYSTEM
from avatars.models import AvatarClip
from livestudio.common.errors import ForbiddenError, InvalidInputError
from streams.models import Broadcast, ControlCommand, Utterance
from streams.services import commands, speech
from streams.services.lifecycle import start_broadcast
from streams.services.speech import Speech
from tests.factories import Cast, add_member
from tests.streams.plans import make_show, put_live


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"text": "x" * 2001}, "text"),
        ({"text": ""}, "text"),
        ({"text": "好", "expression": "bored"}, "expression"),
        ({"text": "好", "gesture": "salute"}, "gesture"),
        ({"text": "好", "emotion": 6}, "emotion"),
    ],
)
def test_say_refuses_bad_values(broadcast: Broadcast, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        speech.say(broadcast=broadcast, speech=Speech(**values), actor=SYSTEM)

    assert refusal.value.details[0].field == field
    assert not Utterance.objects.exists()


def test_interrupt_and_looks_refuse_bad_values(broadcast: Broadcast) -> None:
    calls = [
        lambda: speech.interrupt(broadcast=broadcast, actor=SYSTEM, resume_after_seconds=-1),
        lambda: speech.set_expression(broadcast=broadcast, actor=SYSTEM, name="bored"),
        lambda: speech.play_gesture(broadcast=broadcast, actor=SYSTEM, name="salute"),
    ]

    for call in calls:
        with pytest.raises(InvalidInputError):
            call()
    assert not ControlCommand.objects.exists()


def test_clip_of_another_presenter_is_refused(cast: Cast, broadcast: Broadcast) -> None:
    other = make_show(cast.elsewhere, cast.charlie).avatar
    clip = AvatarClip.objects.create(avatar=other, name="Bow", engine_name="bow")

    with pytest.raises(InvalidInputError):
        speech.play_clip(broadcast=broadcast, clip=clip, actor=SYSTEM)


@pytest.mark.database
def test_say_with_one_key_is_said_once_even_in_a_race(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> Utterance:
        line = Speech("一次。")
        return speech.say(broadcast=broadcast, speech=line, actor=SYSTEM, idempotency_key="k")

    first = ask()
    # Both looked before either had written its row.
    monkeypatch.setattr(speech, "find_command", lambda *_: None)
    known = iter([None])
    monkeypatch.setattr(
        commands,
        "find_command",
        lambda *_: next(known, ControlCommand.objects.get(idempotency_key="k")),
    )

    assert ask().pk == first.pk
    assert Utterance.objects.count() == 1
    assert ControlCommand.objects.count() == 1


def test_permission_is_asked_by_the_service_too(cast: Cast) -> None:
    dora = add_member(cast.organization, "viewer", "dora")
    show = make_show(cast.organization, cast.alice)

    with pytest.raises(ForbiddenError):
        start_broadcast(show=show, actor=dora)
    broadcast = put_live(cast)
    for actor in (dora, cast.charlie):
        with pytest.raises(ForbiddenError):
            speech.say(broadcast=broadcast, speech=Speech("好。"), actor=actor)
    assert not broadcast.commands.exists()
