"""The only way from a user to voices and readings."""

from __future__ import annotations

from uuid import UUID

from accounts.access import get_owned_for
from accounts.models import User
from voices.models import Pronunciation, Voice


def get_voice_for(user: User, voice_id: UUID | str, permission: str) -> Voice:
    """Raises NotFoundError (also for another organization's), ForbiddenError."""
    voice: Voice = get_owned_for(user, Voice.objects.all(), voice_id, permission, "voice")
    return voice


def get_pronunciation_for(user: User, row_id: UUID | str, permission: str) -> Pronunciation:
    """Raises NotFoundError (also for another organization's), ForbiddenError."""
    rows = Pronunciation.objects.select_related("voice")
    row: Pronunciation = get_owned_for(user, rows, row_id, permission, "reading")
    return row
