"""Avatars and their clips: made, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.audit import record
from accounts.models import Consent, Organization, User
from accounts.roles import SystemActor, require_permission
from accounts.services.consents import check_consent
from avatars.build_events import delete_uploads
from avatars.bundles import remove_bundles
from avatars.errors import AvatarInUseError
from avatars.models import Avatar, AvatarClip
from avatars.previews import drop_preview
from avatars.validators import check_avatar, check_needs_no_upload
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row
from metering.services.counting import require_room
from metering.services.storage import forget_files

_FIELDS: Final = frozenset({"name", "engine", "settings", "licences", "consent"})
_PICTURED: Final = frozenset({"engine", "settings"})


def create_avatar(
    *,
    organization: Organization,
    values: Mapping[str, Any],
    actor: User | SystemActor,
    is_filmed: bool = False,
) -> Avatar:
    """Save an avatar. values: name, engine, settings, licences. Raises InvalidInputError.

    is_filmed: its first version is about to be built; without, engines that need one refuse.
    """
    require_permission(actor, "avatar.edit", organization)
    avatar = Avatar(organization=organization)
    if is_filmed:
        avatar.state, avatar.progress = Avatar.State.BUILDING, 0
    else:
        check_needs_no_upload(str(values.get("engine", "")))
    with transaction.atomic():
        require_room(organization.pk, "avatars", 1)
        _write(avatar, values)
        record(actor, "avatars.avatar.created", avatar, data={"name": avatar.name})
    return avatar


def update_avatar(
    *, avatar: Avatar, values: Mapping[str, Any], actor: User | SystemActor
) -> Avatar:
    """Change an avatar; what is on air keeps what it started with."""
    require_permission(actor, "avatar.edit", avatar.organization)
    with transaction.atomic():
        lock_row(avatar)
        if _PICTURED & values.keys():
            drop_preview(avatar)
        _write(avatar, values)
        record(actor, "avatars.avatar.changed", avatar, data={"fields": sorted(values)})
    return avatar


def delete_avatar(*, avatar: Avatar, actor: User | SystemActor) -> None:
    """Remove an avatar. Raises AvatarInUseError while a show needs it."""
    require_permission(actor, "avatar.edit", avatar.organization)
    try:
        with transaction.atomic():
            record(actor, "avatars.avatar.deleted", avatar, data={"name": avatar.name})
            key = avatar.pk
            builds = list(avatar.builds.all())
            avatar.delete()
            for kind in ("avatar-build", "avatar-upload"):
                forget_files(kind, [build.pk for build in builds])
            for build in builds:
                transaction.on_commit(partial(delete_uploads, build))
            transaction.on_commit(lambda: drop_preview(avatar))
            transaction.on_commit(lambda: remove_bundles(key))
    except ProtectedError as error:
        raise AvatarInUseError from error


def create_clip(
    *, avatar: Avatar, values: Mapping[str, Any], actor: User | SystemActor
) -> AvatarClip:
    """Give a recorded motion of the avatar a name. Raises InvalidInputError."""
    require_permission(actor, "avatar.edit", avatar.organization)
    clip = AvatarClip(avatar=avatar, **values)
    try:
        clip.full_clean(validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            clip.save()
            record(
                actor,
                "avatars.clip.created",
                clip,
                organization=avatar.organization,
                data={"name": clip.name},
            )
    except ValidationError as error:
        raise _invalid(error) from error
    except IntegrityError as error:
        message = "Another clip of this avatar has this name."
        raise InvalidInputError.of("name", message, "unique") from error
    return clip


def delete_clip(*, clip: AvatarClip, actor: User | SystemActor) -> None:
    """Remove a clip. Raises AvatarInUseError while a cue plays it."""
    organization = clip.avatar.organization
    require_permission(actor, "avatar.edit", organization)
    try:
        with transaction.atomic():
            record(actor, "avatars.clip.deleted", clip, organization=organization)
            clip.delete()
    except ProtectedError as error:
        raise AvatarInUseError("A cue plays this clip. Change that cue first.") from error


def _write(avatar: Avatar, values: Mapping[str, Any]) -> None:
    for name in _FIELDS & values.keys():
        setattr(avatar, name, values[name])
    check_avatar(engine=avatar.engine, settings=avatar.settings)
    check_consent(avatar.consent, avatar.organization, Consent.Scope.FACE)
    try:
        avatar.full_clean(validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            avatar.save()
    except ValidationError as error:
        raise _invalid(error) from error
    except IntegrityError as error:
        message = "Another avatar of your organization has this name."
        raise InvalidInputError.of("name", message, "unique") from error


def _invalid(error: ValidationError) -> InvalidInputError:
    details = [
        ErrorDetail(field, "invalid", message)
        for field, messages in error.message_dict.items()
        for message in messages
    ]
    return InvalidInputError(details=tuple(details))
