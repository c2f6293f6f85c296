"""The only way from a user to avatars."""

from __future__ import annotations

from uuid import UUID

from accounts.access import get_owned_for, get_row
from accounts.models import User
from avatars.models import Avatar, AvatarClip


def get_avatar_for(user: User, avatar_id: UUID | str, permission: str) -> Avatar:
    """Raises NotFoundError (also for another organization's), ForbiddenError."""
    avatar: Avatar = get_owned_for(user, Avatar.objects.all(), avatar_id, permission, "avatar")
    return avatar


def get_clip_for(
    user: User, avatar_id: UUID | str, clip_id: UUID | str, permission: str
) -> AvatarClip:
    """A clip of this avatar. Raises NotFoundError, ForbiddenError."""
    avatar = get_avatar_for(user, avatar_id, permission)
    rows = AvatarClip.objects.filter(avatar=avatar).select_related("avatar__organization")
    return get_row(rows, clip_id, "clip")
