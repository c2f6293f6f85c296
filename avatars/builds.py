"""Builds of filmed presenters: asked for, cancelled, taken back to an earlier version."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from avatars import build_events
from avatars.bundles import bundle_folder, upload_bytes
from avatars.errors import BuildNotPossibleError
from avatars.models import Avatar, AvatarBuild
from avatars.services import create_avatar
from avatars.uploads import Uploads, check_uploads
from avatars.validators import check_avatar
from livestudio.common.files import stored
from metering.services.counting import require_room
from metering.services.storage import note_file

# What may wait at once in an organization: each upload is hundreds of megabytes.
WAITING_MAX: Final = 5

Actor = User | SystemActor


def create_filmed_avatar(
    *,
    organization: Organization,
    values: Mapping[str, Any],
    uploads: Uploads,
    actor: Actor,
    is_local: bool = False,
) -> Avatar:
    """A presenter in `building` whose first version is made of the upload.

    uploads: file, landmarks (or None), options. is_local: the operator gives a file of this
    machine, of any size. Raises InvalidInputError, BuildNotPossibleError, QuotaExceededError.
    """
    require_permission(actor, "avatar.edit", organization)
    engine, settings = str(values.get("engine", "")), values.get("settings") or {}
    check_avatar(engine=engine, settings=settings)
    # Before the transaction: nobody else may have to wait for a look into a file.
    check_uploads(engine=engine, settings=settings, uploads=uploads, is_local=is_local)
    with transaction.atomic():
        _wait_for_turn(organization.pk)
        avatar = create_avatar(
            organization=organization, values=values, actor=actor, is_filmed=True
        )
        _queue_build(avatar, uploads, actor)
    return avatar


def start_build(
    *, avatar: Avatar, uploads: Uploads, actor: Actor, is_local: bool = False
) -> AvatarBuild:
    """Queue the next version of a presenter. Raises as above."""
    require_permission(actor, "avatar.edit", avatar.organization)
    _check_may_wait(avatar)
    check_uploads(
        engine=avatar.engine, settings=avatar.settings, uploads=uploads, is_local=is_local
    )
    return _queue_build(avatar, uploads, actor)


def _queue_build(avatar: Avatar, uploads: Uploads, actor: Actor) -> AvatarBuild:
    with transaction.atomic():
        _wait_for_turn(avatar.organization_id)
        _check_may_wait(avatar)
        # What it will take is known when it is built: like a recording it may run over.
        require_room(avatar.organization_id, "storage_bytes", 1)
        locked = Avatar.objects.select_for_update().get(pk=avatar.pk)
        newest = locked.builds.first()
        build = AvatarBuild(
            avatar=avatar,
            number=newest.number + 1 if newest else 1,
            engine=avatar.engine,
            settings=dict(avatar.settings),
            options=dict(uploads.get("options") or {}),
        )
        _save(build, uploads, actor)
    return build


def _save(build: AvatarBuild, uploads: Uploads, actor: Actor) -> None:
    with ExitStack() as files:
        build.source = files.enter_context(stored(build.source, "source", uploads["file"]))
        if (points := uploads.get("landmarks")) is not None:
            build.landmarks = files.enter_context(stored(build.landmarks, "landmarks", points))
        build.save()
        note_file(build.avatar.organization_id, "avatar-upload", build.pk, upload_bytes(build))
        organization, data = build.avatar.organization, {"number": build.number}
        record(actor, "avatars.build.started", build, organization=organization, data=data)


def cancel_build(*, build: AvatarBuild, actor: Actor) -> AvatarBuild:
    """End a build; one that waits is over at once. Raises BuildNotPossibleError when it is over."""
    organization = build.avatar.organization
    require_permission(actor, "avatar.edit", organization)
    waiting = AvatarBuild.objects.filter(pk=build.pk, state=AvatarBuild.State.QUEUED)
    running = AvatarBuild.objects.filter(pk=build.pk, state=AvatarBuild.State.BUILDING)
    with transaction.atomic():
        if waiting.update(cancel_asked=True, state=AvatarBuild.State.CANCELLED):
            build.refresh_from_db()
            build_events.cancelled(build)
        elif not running.update(cancel_asked=True):
            raise BuildNotPossibleError(_("This build is over."))
        record(actor, "avatars.build.cancel_asked", build, organization=organization)
    build.refresh_from_db()
    return build


def use_build(*, build: AvatarBuild, actor: Actor) -> AvatarBuild:
    """Go back (or on) to a finished version. What is on air keeps the one it started with."""
    organization = build.avatar.organization
    require_permission(actor, "avatar.edit", organization)
    if build.state != AvatarBuild.State.READY or not bundle_folder(build).is_dir():
        raise BuildNotPossibleError(_("Only a version that was built can be used."))
    with transaction.atomic():
        build_events.make_current(build)
        record(
            actor, "avatars.build.used", build, organization=organization,
            data={"number": build.number},
        )  # fmt: skip
    return build


def retry_build(*, build: AvatarBuild, actor: Actor) -> AvatarBuild:
    """Build a failed version again, of the same upload. Raises BuildNotPossibleError."""
    organization = build.avatar.organization
    require_permission(actor, "avatar.edit", organization)
    failed = AvatarBuild.objects.filter(pk=build.pk, state=AvatarBuild.State.FAILED)
    with transaction.atomic():
        _wait_for_turn(organization.pk)
        Avatar.objects.select_for_update().get(pk=build.avatar_id)
        _check_may_wait(build.avatar)
        queued = {
            "state": AvatarBuild.State.QUEUED,
            "attempts": 0,
            "progress": 0,
            "reason": "",
            "stage": "",
        }
        if not failed.exclude(source="").update(**queued, ended_at=None):
            raise BuildNotPossibleError(_("Only a failed version can be built again."))
        waiting = Avatar.objects.filter(pk=build.avatar_id, state=Avatar.State.FAILED)
        waiting.update(state=Avatar.State.BUILDING, progress=0, failure_reason="")
        data = {"number": build.number, "is_retry": True}
        record(actor, "avatars.build.started", build, organization=organization, data=data)
    build.refresh_from_db()
    return build


def _wait_for_turn(organization_id: UUID) -> None:
    """One upload after the other: those that come at once must not pass the limit together.

    First in the transaction: whoever has written a row of the organization shares its lock already.
    """
    Organization.objects.select_for_update().get(pk=organization_id)


def _check_may_wait(avatar: Avatar) -> None:
    states = (AvatarBuild.State.QUEUED, AvatarBuild.State.BUILDING)
    open_builds = AvatarBuild.objects.filter(
        avatar__organization=avatar.organization, state__in=states
    )
    if open_builds.count() >= WAITING_MAX:
        raise BuildNotPossibleError(_("Other presenters are being built. Try again later."))
    if open_builds.filter(avatar=avatar).exists():
        raise BuildNotPossibleError(_("This presenter is being built. Cancel that build first."))
