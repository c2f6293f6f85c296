"""What happens with a password beyond Django's own rules."""

from __future__ import annotations

from django.utils.translation import gettext

from accounts.models import User
from accounts.services import sessions


class EndSessionsValidator:
    """Refuses nothing: a new password ends every session, whichever door it came through."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Every password will do."""

    def get_help_text(self) -> str:
        return gettext("A new password signs every device out.")

    def password_changed(self, password: str, user: User) -> None:
        """Called when a user was saved with a new password."""
        sessions.sign_out_everywhere(user=user)
