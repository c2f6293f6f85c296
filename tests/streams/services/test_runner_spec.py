"""From rows to the spec of a runner."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from avatars.models import Avatar, AvatarClip
from inference.catalog import PROFILES
from inference.protocol import RunnerSpec, decode, encode
from streams.models import Broadcast, Utterance
from streams.services.commands import finish_command
from streams.services.lifecycle import start_broadcast
from streams.services.runner_spec import (
    SpecUnavailableError,
    build_runner_spec,
    rendition_of,
)
from streams.services.speech import Speech, say
from tests.factories import Cast
from tests.streams.plans import CANARY_KEY, make_output, make_show, put_live
from voices.models import Voice, VoiceFallback


def spec_of(broadcast: Broadcast) -> RunnerSpec:
    return build_runner_spec(broadcast, token="run-token")


def test_spec_survives_its_json_form(broadcast: Broadcast) -> None:
    spec = spec_of(broadcast)

    assert decode(RunnerSpec, encode(spec)) == spec


def test_spec_holds_the_plan(cast: Cast) -> None:
    output = make_output(cast.organization, cast.alice)
    disk = make_output(cast.organization, cast.alice, kind="file", url="a.mp4", stream_key="")
    broadcast = put_live(
        cast,
        outputs=[output, disk],
        rundown_mode="loop",
        loop_pause_seconds=2.5,
        ends="after_duration",
        duration_minutes=3,
        profile="course",
        record=True,
        overlay_title="今晚",
    )

    spec = spec_of(broadcast)

    assert (spec.rundown_mode, spec.loop_pause_seconds, spec.duration_seconds) == ("loop", 2.5, 180)
    assert (spec.renditions[0].width_px, spec.renditions[0].frame_samples) == (1280, 1600)
    assert (spec.record, spec.overlays.title, spec.token) == (True, "今晚", "run-token")
    assert [cue.text for cue in spec.cues] == ["第一句。第二句。", "第三句。"]
    rtmp, file = spec.outputs
    assert (rtmp.stream_key, rtmp.desired, rtmp.rendition) == (CANARY_KEY, "live", "main")
    assert Path(file.url) == settings.RECORDINGS_DIR / str(broadcast.pk) / "a.mp4"
    assert spec.run_folder.startswith(str(settings.DATA_DIR))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_frame_duration_is_exact_in_samples(profile: object) -> None:
    found = next(item for item in PROFILES if item is profile)

    assert rendition_of(found).frame_samples * found.frames_per_second == 48_000


def test_label_speaks_the_language_of_the_show(cast: Cast) -> None:
    voice = Voice.objects.get(organization=cast.organization, name__startswith="英文女声")
    english = put_live(cast, language="en-US", voice=voice, label_preset="generated")
    hidden = put_live(cast, label_preset="none")

    assert spec_of(english).overlays.label_text == "AI-generated"
    assert spec_of(hidden).overlays.label_text == ""


def test_voices_are_the_voice_then_its_ready_fallbacks(cast: Cast) -> None:
    broadcast = put_live(cast)
    first = broadcast.show.voice
    second, third, *_ = Voice.objects.filter(organization=cast.organization).exclude(pk=first.pk)
    VoiceFallback.objects.create(voice=first, fallback=third, position=0)
    VoiceFallback.objects.create(voice=first, fallback=second, position=1)
    Voice.objects.filter(pk=second.pk).update(state="failed")

    assert [voice.id for voice in spec_of(broadcast).voices] == [str(first.pk), str(third.pk)]


def test_clip_cue_carries_the_engines_name(cast: Cast) -> None:
    avatar = Avatar.objects.filter(organization=cast.organization)[0]
    clip = AvatarClip.objects.create(avatar=avatar, name="Bow", engine_name="bow_1")
    broadcast = put_live(cast, cues=[{"text": "好。"}, {"kind": "clip", "clip": clip}])

    assert spec_of(broadcast).cues[1].clip == "bow_1"


def test_relaunch_resumes_at_the_cursor(broadcast: Broadcast) -> None:
    cue = broadcast.snapshot["cues"][1]["id"]
    broadcast.lease_epoch = 2
    broadcast.cursor = {"cue": cue, "sentence": 1, "loop": 3}
    broadcast.script = "paused"
    broadcast.first_frame_at = timezone.now() - timedelta(seconds=30)

    spec = spec_of(broadcast)

    assert (spec.resume, spec.cursor.cue, spec.cursor.loop, spec.script) == (True, cue, 3, "paused")
    assert 30 <= spec.elapsed_seconds < 90


def test_first_launch_does_not_resume(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    broadcast = start_broadcast(show=show, actor=cast.alice)
    broadcast.lease_epoch = 1

    assert not spec_of(broadcast).resume


def test_relaunch_says_the_lines_that_were_accepted_and_not_said_to_the_end(
    cast: Cast, broadcast: Broadcast
) -> None:
    def line(text: str, state: str, *, is_accepted: bool = True) -> None:
        told = say(broadcast=broadcast, speech=Speech(text), actor=cast.bob)
        Utterance.objects.filter(pk=told.pk).update(state=state)
        command = broadcast.commands.get(args__utterance=str(told.pk))
        if is_accepted:
            finish_command(command.pk, ok=True)

    line("Said.", "said")
    line("Cut by the crash.", "speaking")
    line("Dropped.", "dropped")
    line("Still waits.", "queued")
    line("On its way.", "queued", is_accepted=False)  # its command is sent again by itself

    assert spec_of(broadcast).says == ()
    broadcast.lease_epoch = 2
    assert [said.text for said in spec_of(broadcast).says] == ["Cut by the crash.", "Still waits."]


def test_spec_of_a_deleted_presenter_says_so(cast: Cast, broadcast: Broadcast) -> None:
    gone = broadcast.show.avatar
    other = Avatar.objects.create(organization=cast.organization, name="Other", engine="puppet")
    broadcast.show.__class__.objects.update(avatar=other)
    Broadcast.objects.update(avatar_on_air=None)  # opened before it was kept
    gone.delete()

    with pytest.raises(SpecUnavailableError, match="presenter"):
        spec_of(broadcast)
