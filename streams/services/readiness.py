"""What must hold before a show can go on air, as a list of things to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from accounts.errors import OrganizationEndingError
from avatars.bundles import no_room_reason
from inference.catalog import EngineKind, get_engine, get_profile
from livestudio.common.errors import ErrorDetail
from livestudio.common.vault import VaultError
from streams.errors import ShowNotReadyError
from streams.models import Cue, Show
from streams.models.output import OutputKind
from streams.models.rundown import CueKind
from streams.models.show import Ends
from streams.services.consent_rules import consent_obstacles
from voices.selectors import speaking_chain

READY: Final = "ready"
FAILED: Final = "failed"


def require_ready(show: Show) -> None:
    """Raises ShowNotReadyError naming every obstacle at once."""
    details = tuple(obstacles(show))
    if details:
        raise ShowNotReadyError(
            "This show cannot go on air yet: " + " ".join(detail.message for detail in details),
            details=details,
        )


def obstacles(show: Show) -> Iterator[ErrorDetail]:
    """Everything that keeps this show from going on air."""
    cues = list(show.cues.select_related("clip"))
    yield from _plan_obstacles(show, cues)
    yield from _cue_obstacles(show, cues)
    yield from _avatar_obstacles(show)
    yield from _voice_obstacles(show)
    yield from consent_obstacles(show)
    yield from _output_obstacles(show)


def _plan_obstacles(show: Show, cues: list[Cue]) -> Iterator[ErrorDetail]:
    if show.archived_at is not None:
        yield ErrorDetail("", "archived", "The show was deleted.")
    if show.organization.delete_after is not None:
        yield ErrorDetail("", "organization_ending", OrganizationEndingError.message)
    has_speech = any(cue.kind == CueKind.SPEECH and cue.text.strip() for cue in cues)
    if not cues and show.ends != Ends.MANUAL:
        message = "The rundown is empty: add a cue, or let the show end by hand."
        yield ErrorDetail("cues", "empty", message)
    elif not has_speech and show.ends == Ends.AFTER_RUNDOWN:
        yield ErrorDetail("cues", "nothing_to_say", "No cue has anything to say.")
    if show.ends == Ends.AFTER_DURATION and not show.duration_minutes:
        yield ErrorDetail("duration_minutes", "required", "Say how many minutes the show lasts.")


def _cue_obstacles(show: Show, cues: list[Cue]) -> Iterator[ErrorDetail]:
    for index, cue in enumerate(cues):
        if cue.kind != CueKind.CLIP:
            continue
        if cue.clip is None or cue.clip.avatar_id != show.avatar_id:
            message = f"Cue {index + 1} plays a clip that this presenter does not have."
            yield ErrorDetail(f"cues.{index}.clip", "missing", message)


def _avatar_obstacles(show: Show) -> Iterator[ErrorDetail]:
    avatar = show.avatar
    if avatar.state != READY:
        message = (
            f"The presenter {avatar.name} could not be built."
            if avatar.state == FAILED
            else f"The presenter {avatar.name} is still being built."
        )
        yield ErrorDetail("avatar", "not_ready", message)
    yield from _engine_obstacles("avatar", "face", avatar.engine)
    if reason := no_room_reason(avatar, get_profile(show.profile).frames_per_second):
        yield ErrorDetail("avatar", "gpu_full", reason)


def _voice_obstacles(show: Show) -> Iterator[ErrorDetail]:
    voice = show.voice
    if voice.state != READY:
        message = (
            f"The voice {voice.name} could not be made."
            if voice.state == FAILED
            else f"The voice {voice.name} is still being made."
        )
        yield ErrorDetail("voice", "not_ready", message)
    yield from _engine_obstacles("voice", "speech", voice.engine)
    try:
        speaking_chain(voice)
    except VaultError as error:
        yield ErrorDetail("voice", error.code, error.message)


def _engine_obstacles(field: str, kind: EngineKind, name: str) -> Iterator[ErrorDetail]:
    try:
        entry = get_engine(kind, name)
    except LookupError as error:
        yield ErrorDetail(field, "unknown_engine", f"{error}.")
        return
    if entry.test_only and not settings.TEST_ENGINES:
        message = f"The engine {name} is for measurements only (TEST_ENGINES=1)."
        yield ErrorDetail(field, "test_engine", message)


def _output_obstacles(show: Show) -> Iterator[ErrorDetail]:
    for output in show.outputs.all():
        needs_key = output.kind == OutputKind.RTMP and not output.key_per_broadcast
        if needs_key and not output.sealed_stream_key:
            message = f"The output {output.name} has no stream key."
            yield ErrorDetail("outputs", "no_key", message)
