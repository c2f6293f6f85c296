"""What keeps a show from going on air, each told in its own words."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone, translation

from avatars.models import Avatar, AvatarClip
from livestudio.common.reasons import translate_reason
from streams.models import Show
from streams.services.readiness import obstacles
from tests.factories import Cast
from tests.streams.plans import make_output, make_show
from voices.models import Voice


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


def found(show: Show) -> list[tuple[str, str]]:
    fresh = Show.objects.select_related("avatar", "voice").get(pk=show.pk)
    return [(item.field, item.code) for item in obstacles(fresh)]


def test_whole_show_has_no_obstacle(show: Show) -> None:
    assert found(show) == []


@pytest.mark.parametrize("state", ["building", "failed"])
def test_state_of_presenter_and_voice_is_told_in_words(show: Show, state: str) -> None:
    Avatar.objects.filter(pk=show.avatar_id).update(state=state, name="小林")
    Voice.objects.filter(pk=show.voice_id).update(state=state, name="温柔")
    fresh = Show.objects.select_related("avatar", "voice").get(pk=show.pk)

    with translation.override("zh-hans"):
        told = [translate_reason(item.message) for item in obstacles(fresh)]

    ends = "制作失败。" if state == "failed" else "还在制作中。"
    assert told == [f"主播 小林 {ends}", f"声音 温柔 {ends}"]


def test_show_that_only_pauses_has_nothing_to_say(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice, cues=[{"kind": "pause", "pause_seconds": 5}])

    assert found(show) == [("cues", "nothing_to_say")]


@pytest.mark.parametrize(
    ("values", "obstacle"),
    [
        ({"archived_at": timezone.now()}, ("", "archived")),
        ({"ends": "after_duration"}, ("duration_minutes", "required")),
    ],
)
def test_plan_that_cannot_air(
    show: Show, values: dict[str, Any], obstacle: tuple[str, str]
) -> None:
    Show.objects.update(**values)

    assert found(show) == [obstacle]


def test_presenter_and_voice_must_be_ready_and_known(show: Show) -> None:
    Avatar.objects.filter(pk=show.avatar_id).update(state="failed", engine="hologram")
    Voice.objects.filter(pk=show.voice_id).update(state="building", engine="whisper")

    assert found(show) == [
        ("avatar", "not_ready"),
        ("avatar", "unknown_engine"),
        ("voice", "not_ready"),
        ("voice", "unknown_engine"),
    ]


def test_engines_for_measurements_need_the_setting(show: Show, settings: Any) -> None:
    Avatar.objects.filter(pk=show.avatar_id).update(engine="testcard")
    with_setting = found(show)
    settings.TEST_ENGINES = False

    assert (with_setting, found(show)) == ([], [("avatar", "test_engine")])


def test_cue_that_lost_its_clip_to_an_earlier_version_is_named(cast: Cast, show: Show) -> None:
    clip = AvatarClip.objects.create(avatar=show.avatar, name="Bow", engine_name="bow")
    other = make_show(
        cast.organization, cast.alice, cues=[{"text": "好。"}, {"kind": "clip", "clip": clip}]
    )
    other.cues.update(clip=None)

    assert found(other) == [("cues.1.clip", "missing")]


def test_output_needs_a_key_unless_todays_is_pasted_later(cast: Cast, show: Show) -> None:
    bare = {"stream_key": ""}
    show.outputs.set(
        [
            make_output(cast.organization, cast.alice, name="L", key_per_broadcast=True, **bare),
            make_output(cast.organization, cast.alice, kind="file", url="a.mp4", **bare),
        ]
    )
    before = found(show)
    show.outputs.add(make_output(cast.organization, cast.alice, name="Bare", **bare))

    assert (before, found(show)) == ([], [("outputs", "no_key")])
