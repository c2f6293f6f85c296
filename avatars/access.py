"""The only way from a user to avatars."""

from __future__ import annotations

from uuid import UUID

from accounts.access import get_owned_for, get_row
from accounts.models import User
from accounts.scope import every_organization
from avatars.models import Avatar, AvatarBuild, AvatarClip


def get_avatar_for(user: User, avatar_id: UUID | str, permission: str) -> Avatar:
    """Raises NotFoundError (also for another organization's), ForbiddenError."""
    avatar: Avatar = get_owned_for(user, Avatar.objects.all(), avatar_id, permission, "avatar")
    return avatar


def get_any_avatar(avatar_id: UUID) -> Avatar:
    """For holders of a signed address, which members alone are given. Raises NotFoundError."""
    with every_organization():
        avatar: Avatar = get_row(Avatar.objects.all(), avatar_id, "avatar")
    return avatar


def get_clip_for(
    user: User, avatar_id: UUID | str, clip_id: UUID | str, permission: str
) -> AvatarClip:
    """A clip of this avatar. Raises NotFoundError, ForbiddenError."""
    avatar = get_avatar_for(user, avatar_id, permission)
    rows = AvatarClip.objects.filter(avatar=avatar).select_related("avatar__organization")
    return get_row(rows, clip_id, "clip")


def get_build_for(
    user: User, avatar_id: UUID | str, build_id: UUID | str, permission: str
) -> AvatarBuild:
    """A version of this avatar. Raises NotFoundError, ForbiddenError."""
    avatar = get_avatar_for(user, avatar_id, permission)
    rows = AvatarBuild.objects.filter(avatar=avatar).select_related("avatar__organization")
    return get_row(rows, build_id, "build")


def get_any_build(avatar_id: UUID, build_id: UUID) -> AvatarBuild:
    """For holders of a signed address. Raises NotFoundError."""
    with every_organization():
        rows = AvatarBuild.objects.filter(avatar_id=avatar_id).select_related("avatar")
        build: AvatarBuild = get_row(rows, build_id, "build")
    return build
