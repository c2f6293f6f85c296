"""Why an avatar cannot be shown or removed."""

from __future__ import annotations

from livestudio.common.errors import ConflictError, UnavailableError


class AvatarInUseError(ConflictError):
    """A show needs it, or it is on air."""

    code = "avatar_in_use"
    message = (
        "A show uses this avatar, or it is on air. "
        "Give that show another one first, or wait for the end of the broadcast."
    )


class AvatarPreviewUnavailableError(UnavailableError):
    """The picture could not be made."""

    code = "avatar_preview_unavailable"
    message = "The picture of this avatar cannot be made right now."


class BuildNotPossibleError(ConflictError):
    """The build is over, or another one stands in its way."""

    code = "build_not_possible"
    message = "This cannot be done with this build now."
