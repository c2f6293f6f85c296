"""A new password: by a mail to who forgot it, or in place of the old one."""

from __future__ import annotations

import uuid

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts import mail
from accounts.audit import record
from accounts.errors import LinkInvalidError
from accounts.letters import reset_letter
from accounts.models import User
from accounts.services.hashing import password_work
from livestudio.common.errors import ErrorDetail, InvalidInputError


def request_reset(*, email: str, base_url: str) -> None:
    """Mail a link to whoever has this address; says nothing about whether anybody has.

    base_url: of this site, without a slash at its end. Raises MailOffError.
    """
    mail.require_mail()
    people = User.objects.filter(email__iexact=email.strip(), is_active=True, is_machine=False)
    for user in people.exclude(email=""):
        if user.has_usable_password():
            token = default_token_generator.make_token(user)
            path = reverse("password_reset_confirm", args=[_encode(user), token])
            mail.send(reset_letter(user, base_url + path))


def reset_password(*, user_id: str, token: str, password: str, address: str) -> None:
    """Set the password by the two parts of the link. address: who asks, for `password_work`.

    Raises LinkInvalidError, InvalidInputError.
    """
    user = _decode(user_id)
    # The same is computed for somebody who is not there.
    is_right = default_token_generator.check_token(user or User(), token)
    if user is None or not is_right:
        raise LinkInvalidError
    _check(user, password)
    set_password_by_mail(user=user, password=password, address=address)


def set_password_by_mail(*, user: User, password: str, address: str) -> None:
    """The user opened a link of our mail, so the address is theirs too; all sessions end."""
    with password_work(address):
        user.set_password(password)
    with transaction.atomic():
        user.email_verified_at = user.email_verified_at or timezone.now()
        user.must_verify_email = False
        user.save(
            update_fields=["password", "email_verified_at", "must_verify_email", "updated_at"]
        )
        record(user, "accounts.password.reset", user)


def change_password(*, user: User, password: str, address: str) -> None:
    """Another password; all sessions end. The caller has checked the old one.

    Raises InvalidInputError.
    """
    _check(user, password, field="new_password")
    with password_work(address):
        user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password", "updated_at"])
        record(user, "accounts.password.changed", user)


def _check(user: User, password: str, *, field: str = "password") -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        details = tuple(ErrorDetail(field, "invalid", message) for message in error.messages)
        raise InvalidInputError(details=details) from error


def _encode(user: User) -> str:
    return urlsafe_base64_encode(str(user.pk).encode())


def _decode(user_id: str) -> User | None:
    try:
        key = uuid.UUID(urlsafe_base64_decode(user_id).decode())
    except ValueError:
        return None
    return User.objects.filter(pk=key, is_active=True, is_machine=False).first()
