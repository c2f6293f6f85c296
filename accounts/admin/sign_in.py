"""How people get into the admin: the same checks and the same lock as in the API."""

from __future__ import annotations

import math
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.errors import (
    CredentialsInvalidError,
    EmailUnverifiedError,
    SecondFactorInvalidError,
    SecondFactorRequiredError,
    SignInLockedError,
)
from accounts.models import User
from accounts.services import sessions, two_factor
from accounts.services.hashing import AddressBusyError, SignInBusyError
from accounts.services.verification import require_verified
from livestudio.common.reasons import translate_reason
from livestudio.common.throttles import SignInThrottle
from livestudio.common.vault import VaultError


class LockingSignInForm(AdminAuthenticationForm):
    """The admin's sign-in, with the same second step, lock and limit as the API's.

    retry_after_seconds: when locked; the site answers 429 then.
    """

    code = forms.CharField(
        label=_("Code"),
        help_text=_("Of your authenticator app, if you have switched two-factor sign-in on."),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    retry_after_seconds: int | None = None
    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": _("The user name or the password is wrong. Capitals count in both."),
    }

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if username and password:
            user = self._signed_in(username, password, self.cleaned_data.get("code", ""))
            self.confirm_login_allowed(user)
            user.backend = "django.contrib.auth.backends.ModelBackend"
            self.user_cache = user
        return self.cleaned_data

    def _signed_in(self, username: str, password: str, code: str) -> User:
        throttle = SignInThrottle()
        try:
            if not throttle.allow_request(self.request, None):
                raise SignInLockedError(retry_after_seconds=math.ceil(throttle.wait()))
            user = sessions.check_password(
                username=username,
                password=password,
                address=throttle.get_ident(self.request),
            )
            two_factor.require_code(user=user, code=code)
            require_verified(user)
        except CredentialsInvalidError as error:
            raise self.get_invalid_login_error() from error
        except SecondFactorRequiredError as error:
            text = gettext("Enter the code of your authenticator app too.")
            raise ValidationError(text, code=error.code) from error
        except SecondFactorInvalidError as error:
            text = gettext("The code is wrong or was used already. Wait for the next one.")
            raise ValidationError(text, code=error.code) from error
        except EmailUnverifiedError as error:
            text = gettext("Confirm your address first: open the link in our mail.")
            raise ValidationError(text, code=error.code) from error
        except (AddressBusyError, SignInBusyError) as error:
            if error.status == SignInLockedError.status:
                self.retry_after_seconds = error.retry_after_seconds
            raise ValidationError(translate_reason(error.message), code=error.code) from error
        except VaultError as error:
            raise ValidationError(error.message, code=error.code) from error
        except SignInLockedError as error:
            self.retry_after_seconds = error.retry_after_seconds
            text = gettext("Too many wrong passwords or codes. Wait before you try again.")
            raise ValidationError(text, code=error.code) from error
        return user
