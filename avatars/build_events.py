"""What a build tells becomes rows: its log, its end, and the avatar that shows it."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from accounts.audit import record
from accounts.events import emit
from accounts.roles import SYSTEM
from avatars.bundles import bundle_bytes, playable_clips
from avatars.models import REASON_MAX_CHARACTERS, Avatar, AvatarBuild, AvatarClip
from avatars.previews import drop_preview
from inference.builds import BuildEvent
from metering.services.storage import forget_files, note_file

LOG_ENTRIES: Final = 200
BROKE_DOWN: Final = "The builder broke down; see the server's log."


def apply_event(build: AvatarBuild, event: BuildEvent) -> None:
    """Write one event of a running build."""
    handlers = {"progress": _progress, "done": _done, "refused": _refused}
    with transaction.atomic():
        handlers[event.kind](build, event.data)


def cancelled(build: AvatarBuild) -> None:
    """It was ended because somebody asked for it."""
    with transaction.atomic():
        _end(build, AvatarBuild.State.CANCELLED, "")
        record(SYSTEM, "avatars.build.cancelled", build, organization=build.avatar.organization)
        transaction.on_commit(lambda: _drop_uploads(build))


def make_current(build: AvatarBuild) -> None:
    """Shows that start from now on present this version. Call it inside a transaction."""
    avatar = Avatar.objects.select_for_update().get(pk=build.avatar_id)
    avatar.builds.filter(is_current=True).update(is_current=False)
    build.is_current = True
    build.save(update_fields=["is_current", "updated_at"])
    drop_preview(avatar)
    avatar.state, avatar.progress, avatar.failure_reason = Avatar.State.READY, 100, ""
    avatar.preview.name = ""
    avatar.save(update_fields=["state", "progress", "failure_reason", "preview", "updated_at"])
    for name, duration_ms in playable_clips(avatar).items():
        values = {"engine_name": name, "duration_ms": duration_ms}
        AvatarClip.objects.update_or_create(avatar=avatar, name=name, defaults=values)


def delete_uploads(build: AvatarBuild) -> None:
    """Of a build whose row is gone, or says so."""
    for file in (build.source, build.landmarks):
        if file:
            file.delete(save=False)


def _progress(build: AvatarBuild, data: dict[str, Any]) -> None:
    stage, message = str(data["stage"])[:20], str(data.get("message", ""))
    if stage != build.stage or message:
        _note(build, stage, message)
    build.progress, build.stage = int(data["progress"]), stage
    build.heartbeat_at = timezone.now()
    build.save(update_fields=["progress", "stage", "log", "heartbeat_at", "updated_at"])
    waiting = Avatar.objects.filter(pk=build.avatar_id, state=Avatar.State.BUILDING)
    waiting.update(progress=build.progress)


def _done(build: AvatarBuild, facts: dict[str, Any]) -> None:
    build.facts, build.progress = facts, 100
    build.save(update_fields=["facts", "progress", "updated_at"])
    _end(build, AvatarBuild.State.READY, "")
    make_current(build)
    note_file(build.avatar.organization_id, "avatar-build", build.pk, bundle_bytes(build))
    record(SYSTEM, "avatars.build.finished", build, organization=build.avatar.organization)
    _tell(build, "ready")
    transaction.on_commit(lambda: _drop_uploads(build))


def _refused(build: AvatarBuild, data: dict[str, Any]) -> None:
    _end(build, AvatarBuild.State.FAILED, str(data["message"]))
    record(
        SYSTEM,
        "avatars.build.failed",
        build,
        organization=build.avatar.organization,
        data={"code": data["code"]},
    )
    _tell(build, "failed")
    transaction.on_commit(lambda: _drop_earlier_uploads(build))


def _tell(build: AvatarBuild, what: str) -> None:
    avatar = build.avatar
    data = {"avatar": str(avatar.pk), "name": avatar.name, "state": what, "reason": build.reason}
    emit(avatar.organization_id, f"avatar.{what}", data)


def _end(build: AvatarBuild, state: str, reason: str) -> None:
    _note(build, state, reason)
    build.state, build.reason, build.ended_at = (
        state,
        reason[:REASON_MAX_CHARACTERS],
        timezone.now(),
    )
    build.save(update_fields=["state", "reason", "log", "ended_at", "updated_at"])
    if state != AvatarBuild.State.READY:
        # An avatar that has another version goes on with it.
        waiting = Avatar.objects.filter(pk=build.avatar_id, state=Avatar.State.BUILDING)
        words = build.reason or "The build was cancelled."
        waiting.update(state=Avatar.State.FAILED, failure_reason=words)


def _note(build: AvatarBuild, stage: str, message: str) -> None:
    entry = {
        "at": timezone.now().isoformat(),
        "stage": stage,
        "message": message[:REASON_MAX_CHARACTERS],
    }
    build.log = [*build.log[-LOG_ENTRIES + 1 :], entry]


def _drop_earlier_uploads(build: AvatarBuild) -> None:
    """Of versions that failed only the newest may be built again: a film is hundreds of MB."""
    failed = AvatarBuild.objects.filter(avatar=build.avatar_id, state=AvatarBuild.State.FAILED)
    for earlier in failed.filter(number__lt=build.number).exclude(source=""):
        _drop_uploads(earlier)


def _drop_uploads(build: AvatarBuild) -> None:
    """The film of a person is not kept twice, nor for nothing."""
    delete_uploads(build)
    AvatarBuild.objects.filter(pk=build.pk).update(source="", landmarks="")
    forget_files("avatar-upload", [build.pk])
