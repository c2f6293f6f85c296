"""Why an avatar cannot be shown or removed."""

from __future__ import annotations

from livestudio.common.errors import ConflictError, UnavailableError


class AvatarInUseError(ConflictError):
    """A show needs it."""

    code = "avatar_in_use"
    message = "A show uses this avatar. Give that show another one first."


class AvatarPreviewUnavailableError(UnavailableError):
    """The picture could not be made."""

    code = "avatar_preview_unavailable"
    message = "The picture of this avatar cannot be made right now."
