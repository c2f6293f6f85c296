"""How people get into the admin: the same checks and the same lock as in the API."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from accounts.errors import CredentialsInvalidError, SignInLockedError
from accounts.services import sessions
from livestudio.common.throttles import SignInThrottle


class LockingSignInForm(AdminAuthenticationForm):
    """The admin's sign-in, with the same lock as the API's."""

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if username and password:
            try:
                user = sessions.check_password(
                    username=username,
                    password=password,
                    address=SignInThrottle().get_ident(self.request) or "",
                )
            except CredentialsInvalidError as error:
                raise self.get_invalid_login_error() from error
            except SignInLockedError as error:
                raise ValidationError(error.message, code="sign_in_locked") from error
            self.confirm_login_allowed(user)
            user.backend = "django.contrib.auth.backends.ModelBackend"
            self.user_cache = user
        return self.cleaned_data
