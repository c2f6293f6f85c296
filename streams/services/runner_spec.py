"""From rows to the `RunnerSpec` a runner works by, and to the arguments of its commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal, cast

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, override

from avatars.bundles import engine_settings as face_settings
from avatars.bundles import playable_clips
from avatars.models import Avatar
from inference.catalog import Profile, get_profile
from inference.protocol import (
    SAMPLE_RATE_HZ,
    AvatarSpec,
    CueSpec,
    Cursor,
    Json,
    OutputSpec,
    OverlaySpec,
    RenditionSpec,
    RunnerSpec,
    Say,
    ScriptState,
    VideoEncoderChoice,
    VoiceSpec,
    decode,
    encode,
)
from livestudio.common import vault
from livestudio.common.errors import ConflictError
from streams.labels import label_text
from streams.models import (
    Broadcast,
    BroadcastOutput,
    ControlCommand,
    Cue,
    Picture,
    Schedule,
    Show,
)
from streams.models.broadcast import (
    REASON_MAX_CHARACTERS,
    BroadcastOutputState,
    CommandState,
    OutputDesired,
    UtteranceSource,
    UtteranceState,
)
from streams.models.output import OutputKind
from streams.services.ice import ice_spec
from streams.services.pictures import background_of, find_picture, picture_path
from voices.models import Voice
from voices.selectors import speaking_chain

MAIN_RENDITION: Final = "main"
# Of the clock in a show without a schedule; the schedule's own default.
DEFAULT_ZONE: Final = "Asia/Shanghai"


class SpecUnavailableError(ConflictError):
    """The presenter or voice of the broadcast is gone, so no runner can be told what to do."""

    code = "spec_unavailable"
    message = "The presenter or voice of this broadcast does not exist any more."


def take_snapshot(show: Show) -> Json:
    """The plan of a show as plain JSON: later edits of the show do not change this airing."""
    cues = show.cues.select_related("clip").order_by("position", "created_at")
    return {
        "title": show.title,
        "language": show.language,
        "profile": show.profile,
        "background": show.background,
        "rundown_mode": show.rundown_mode,
        "loop_pause_seconds": show.loop_pause_seconds,
        "ends": show.ends,
        "duration_minutes": show.duration_minutes,
        "overlays": encode(_overlays(show)),
        "avatar": str(show.avatar_id),
        "voice": str(show.voice_id),
        "is_commercial": show.is_commercial,
        "cues": [{**encode(_cue(cue)), "card": cue.kept_card} for cue in cues],
    }


def build_runner_spec(broadcast: Broadcast, *, token: str) -> RunnerSpec:
    """All a runner needs, stream keys included: for `welcome` only, never logged or stored.

    Raises SpecUnavailableError when presenter or voice are gone.
    """
    plan = broadcast.snapshot
    return RunnerSpec(
        broadcast=str(broadcast.pk),
        lease_epoch=broadcast.lease_epoch,
        token=token,
        title=plan["title"],
        language=plan["language"],
        renditions=(rendition_of(get_profile(plan["profile"])),),
        avatar=_avatar_spec(plan["avatar"]),
        voices=_voice_specs(plan["voice"]),
        cues=_cue_specs(plan["cues"]),
        run_folder=str(settings.RUNS_DIR / str(broadcast.pk)),
        recordings_folder=str(settings.RECORDINGS_DIR / str(broadcast.pk)),
        cache_folder=str(settings.CACHE_DIR),
        rundown_mode=plan["rundown_mode"],
        loop_pause_seconds=plan["loop_pause_seconds"],
        ends=plan["ends"],
        duration_seconds=_duration_seconds(plan),
        elapsed_seconds=_elapsed_seconds(broadcast),
        background=background_of(plan["background"]),
        overlays=_overlay_spec(plan["overlays"]),
        outputs=tuple(output_spec(row) for row in broadcast.outputs.select_related("output")),
        record=broadcast.recording_wanted,
        video_encoder=cast(VideoEncoderChoice, settings.VIDEO_ENCODER),
        cursor=decode(Cursor, broadcast.cursor),
        script=cast(ScriptState, broadcast.script),
        says=_open_says(broadcast),
        resume=broadcast.lease_epoch > 1,
        ice=ice_spec(str(broadcast.pk)),
        egress_allow=tuple(settings.EGRESS_ALLOW),
        test_engines=settings.TEST_ENGINES,
    )


def _open_says(broadcast: Broadcast) -> tuple[Say, ...]:
    """Operator's lines that a runner before this one accepted and did not say to the end."""
    if broadcast.lease_epoch <= 1:
        return ()
    waiting = broadcast.utterances.filter(
        state__in=(UtteranceState.QUEUED, UtteranceState.SPEAKING)
    ).exclude(source=UtteranceSource.SCRIPT)
    first = waiting.first()
    if first is None:
        return ()
    accepted = broadcast.commands.filter(
        name="say", state=CommandState.DONE, created_at__gte=first.created_at
    ).order_by("created_at")
    ids = {str(pk) for pk in waiting.values_list("pk", flat=True)}
    return tuple(decode(Say, row.args) for row in accepted if row.args.get("utterance") in ids)


def open_command_args(command: ControlCommand) -> Json:
    """The arguments as they go to the runner: output commands get their key from the vault here.

    Raises BroadcastOutput.DoesNotExist when the output has left the broadcast meanwhile.
    """
    if command.name == "output_add":
        return {"output": encode(output_spec(_output_of(command, "output")))}
    if command.name == "output_replace_key":
        row = _output_of(command, "id")
        return {"id": str(row.pk), "stream_key": open_stream_key(row)}
    return dict(command.args)


def output_spec(row: BroadcastOutput) -> OutputSpec:
    """One destination with its key opened; one that cannot be opened is waited for.

    The broadcast goes on: a secret that was lost costs one destination until it is pasted again.
    """
    waits, stream_key = row.desired == OutputDesired.WAITING_FOR_KEY, ""
    if not waits:
        try:
            with override("en"):  # reasons in rows are English, see livestudio.common.reasons
                stream_key = open_stream_key(row)
        except vault.VaultError as error:
            waits = True
            _wait_for_key(row, error.message)
    return OutputSpec(
        id=str(row.pk),
        name=row.name,
        kind="file" if row.kind == "file" else "rtmp",
        url=_file_path(row) if row.kind == OutputKind.FILE else row.url,
        stream_key=stream_key,
        rendition=MAIN_RENDITION,
        desired=cast(Literal["live", "waiting_for_key", "stopped"], row.desired),
    )


def open_stream_key(row: BroadcastOutput) -> str:
    """The key of this airing, else the output's own. Raises VaultError."""
    name = gettext("stream key of “%(output)s”") % {"output": row.name}
    if row.sealed_stream_key:
        return vault.open_from(row, "sealed_stream_key", name=name)
    if row.output is None:
        return ""
    return vault.open_from(row.output, "sealed_stream_key", name=name)


def _wait_for_key(row: BroadcastOutput, reason: str) -> None:
    """As with an output whose key comes each day: it goes live when the key is pasted."""
    row.desired, row.reason = OutputDesired.WAITING_FOR_KEY, reason[:REASON_MAX_CHARACTERS]
    row.state = BroadcastOutputState.WAITING_FOR_KEY
    row.save(update_fields=["desired", "state", "reason", "updated_at"])


def rendition_of(profile: Profile) -> RenditionSpec:
    """The picture of a profile; the frame duration is exact in 48 kHz samples."""
    return RenditionSpec(
        id=MAIN_RENDITION,
        width_px=profile.width_px,
        height_px=profile.height_px,
        frame_samples=SAMPLE_RATE_HZ // profile.frames_per_second,
        bitrate_kbps=profile.bitrate_kbps,
    )


def _overlays(show: Show) -> OverlaySpec:
    """As the snapshot keeps it: the logo by the id of its picture."""
    logo, clock, name = show.logo_id, show.clock_format, show.lower_third_name
    zone = show.clock_timezone or _schedule_zone(show)
    values: dict[str, Any] = {
        "captions": show.captions,
        "title": show.overlay_title,
        "label_text": label_text(show),
        "label_position": show.label_position,
        "logo": {"picture": str(logo), "position": show.logo_position} if logo else None,
        "lower_third": {"name": name, "role": show.lower_third_role} if name else None,
        "clock": {"format": clock, "timezone": zone, "position": show.clock_position},
    }
    return decode(OverlaySpec, {**values, "clock": None} if clock == "none" else values)


def _schedule_zone(show: Show) -> str:
    schedule = Schedule.objects.filter(show=show).first()
    return schedule.timezone if schedule else DEFAULT_ZONE


def _overlay_spec(plan: Json) -> OverlaySpec:
    """The overlays of a snapshot with the logo's file in the place of its id."""
    spec = decode(OverlaySpec, plan)
    if spec.logo is None:
        return spec
    path = picture_path(find_picture(spec.logo.picture))
    return replace(spec, logo=replace(spec.logo, picture=str(path)) if path else None)


def _cue_specs(plan: list[Json]) -> tuple[CueSpec, ...]:
    """The cues of a snapshot with files in the place of their pictures' ids."""
    named = {card["picture"] for cue in plan if (card := cue.get("card")) and card.get("picture")}
    rows = Picture.objects.in_bulk(named)
    paths = {str(key): str(picture_path(row) or "") for key, row in rows.items()}

    def with_file(cue: Json) -> Json:
        card = cue.get("card")
        return {**cue, "card": card and {**card, "picture": paths.get(card.get("picture"), "")}}

    return tuple(decode(CueSpec, with_file(cue)) for cue in plan)


def _cue(cue: Cue) -> CueSpec:
    raw: dict[str, Any] = {
        "id": str(cue.pk),
        "kind": cue.kind,
        "text": cue.text,
        "expression": cue.expression,
        "gesture": cue.gesture,
        "emotion": cue.emotion,
        "clip": cue.clip.engine_name if cue.clip else None,
        "pause_seconds": cue.pause_seconds,
    }
    return decode(CueSpec, raw)


def _avatar_spec(avatar_id: str) -> AvatarSpec:
    avatar = Avatar.objects.filter(pk=avatar_id).first()
    if avatar is None:
        raise SpecUnavailableError("The presenter of this broadcast does not exist any more.")
    return AvatarSpec(
        id=str(avatar.pk),
        engine=avatar.engine,
        settings=face_settings(avatar),
        clips=playable_clips(avatar),
    )


def _voice_specs(voice_id: str) -> tuple[VoiceSpec, ...]:
    """The voice and its fallbacks, in order; what is not ready or has lost its key is left out."""
    voice = Voice.objects.filter(pk=voice_id).first()
    if voice is None:
        raise SpecUnavailableError("The voice of this broadcast does not exist any more.")
    return tuple(
        VoiceSpec(
            id=str(item.pk),
            engine=item.engine,
            language=item.language,
            settings=opened,
        )
        for item, opened in speaking_chain(voice)
    )


def _output_of(command: ControlCommand, field: str) -> BroadcastOutput:
    rows = BroadcastOutput.objects.select_related("output").filter(broadcast=command.broadcast_id)
    return rows.get(pk=command.args[field])


def _file_path(row: BroadcastOutput) -> str:
    return str(settings.RECORDINGS_DIR / str(row.broadcast_id) / row.url)


def _duration_seconds(plan: Json) -> float | None:
    """What is left of the set time; an airing that joined late ends when it would have."""
    minutes: int | None = plan["duration_minutes"]
    if not minutes:
        return None
    joined_seconds: float = plan.get("joined_seconds", 0.0)
    return max(0.0, minutes * 60.0 - joined_seconds)


def _elapsed_seconds(broadcast: Broadcast) -> float:
    if broadcast.first_frame_at is None:
        return 0.0
    return max(0.0, (timezone.now() - broadcast.first_frame_at).total_seconds())
