"""Confirming that an e-mail address belongs to its user (EMAIL_VERIFICATION=required)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import mail
from accounts.audit import record
from accounts.errors import EmailUnverifiedError, LinkInvalidError
from accounts.letters import verification_letter
from accounts.models import User

LINK_LIFE: Final = timedelta(days=3)
_SALT: Final = "accounts.verify_email"


def is_required() -> bool:
    return bool(settings.EMAIL_VERIFICATION == "required")


def require_verified(user: User) -> None:
    """Raises EmailUnverifiedError (403) while a new account waits for its mail to be opened."""
    if is_required() and user.must_verify_email:
        raise EmailUnverifiedError


def send_verification(*, user: User, base_url: str) -> None:
    """Mail a link that confirms the address. Raises MailOffError."""
    token = signing.dumps([str(user.pk), user.email], salt=_SALT)
    link = base_url + reverse("verify_email", args=[token])
    mail.send(verification_letter(user, link))


def resend_verification(*, email: str, base_url: str) -> None:
    """Mail the link again to whoever waits for it; says nothing about whether anybody does."""
    mail.require_mail()
    rows = User.objects.filter(email__iexact=email.strip(), must_verify_email=True, is_active=True)
    for user in rows.exclude(email=""):
        send_verification(user=user, base_url=base_url)


def verify_email(*, token: str) -> User:
    """The user whose address is confirmed now. Raises LinkInvalidError; twice is fine."""
    try:
        user_id, email = signing.loads(token, salt=_SALT, max_age=LINK_LIFE)
    except (signing.BadSignature, ValueError) as error:
        raise LinkInvalidError from error
    # A link of an address that was changed since confirms nothing.
    user = User.objects.filter(pk=user_id, email=email, is_active=True).first()
    if user is None:
        raise LinkInvalidError
    mark_verified(user)
    return user


def mark_verified(user: User) -> None:
    """The user has shown that mail to the address reaches them."""
    if user.email_verified_at is not None and not user.must_verify_email:
        return
    with transaction.atomic():
        user.email_verified_at, user.must_verify_email = timezone.now(), False
        user.save(update_fields=["email_verified_at", "must_verify_email", "updated_at"])
        record(user, "accounts.email.verified", user)
