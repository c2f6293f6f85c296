"""Why a voice cannot be heard or removed."""

from __future__ import annotations

from livestudio.common.errors import ConflictError, DomainError, UnavailableError


class VoiceInUseError(ConflictError):
    """A show or another voice needs it, or it is on air."""

    code = "voice_in_use"
    message = (
        "A show uses this voice, or it is on air. "
        "Give that show another one first, or wait for the end of the broadcast."
    )


class VoicePreviewError(DomainError):
    """The engine refused the text or the settings."""

    code = "voice_preview_refused"
    status = 422
    message = "This voice cannot say that."


class VoicePreviewUnavailableError(UnavailableError):
    """The engine is busy or broke down; trying again may help."""

    code = "voice_preview_unavailable"
    message = "The voice cannot be heard right now. Try again soon."
