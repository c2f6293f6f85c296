"""Two-factor sign-in: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.errors import (
    SecondFactorInvalidError,
    SecondFactorRequiredError,
    TwoFactorOffError,
    TwoFactorOnError,
)
from accounts.models import RecoveryCode, TotpDevice, User
from accounts.services.locks import forget_wrong_guesses, take_guess
from livestudio.common import vault

ISSUER: Final = "LiveStudio"
RECOVERY_CODES: Final = 10
SECRET_BYTES: Final = 20  # RFC 4226, section 4: 160 bits recommended
STEP_SECONDS: Final = 30
# A phone's clock may be this many steps off.
STEPS_OFF: Final = 1


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs. secret: base32. qr: the URI as an SVG data URI."""

    secret: str
    uri: str
    qr: str


def is_on(user: User) -> bool:
    """Whether this user signs in with a code."""
    return TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).exists()


def enrol(*, user: User) -> Enrolment:
    """A new secret for the user's app; it counts once a code of it was confirmed.

    Asked twice at once, both get the same. The caller has checked the password.
    Raises TwoFactorOnError.
    """
    asked_at = timezone.now()
    with transaction.atomic():
        _wait_for_turn(user)
        if is_on(user):
            raise TwoFactorOnError
        if _pending(user).filter(created_at__gt=asked_at).exists() and (
            made := pending_enrolment(user)
        ):
            return made
        _pending(user).delete()
        device = TotpDevice(user=user)
        secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
        vault.seal_into(device, "secret", secret)
        device.save(force_insert=True)
    return _enrolment(user, secret)


def pending_enrolment(user: User) -> Enrolment | None:
    """The secret that waits for its first code; None too where it cannot be read any more."""
    device = _pending(user).first()
    if device is None:
        return None
    try:
        return _enrolment(user, _secret_of(device))
    except vault.VaultError:
        return None  # begun anew, it gets another


def confirm(*, user: User, code: str) -> list[str]:
    """Switch it on with the first code of the app. Returns the recovery codes.

    Raises TwoFactorOffError (nothing to confirm), SecondFactorInvalidError, SignInLockedError.
    """
    device = _pending(user).first()
    if device is None:
        raise TwoFactorOffError("There is nothing to confirm. Begin again.")
    take_guess(_subject(user))
    _judge(user, is_right=_is_code_of(device, code))
    with transaction.atomic():
        # Begun anew elsewhere meanwhile, the code is of an app that counts no more.
        if not TotpDevice.objects.filter(pk=device.pk).update(confirmed_at=timezone.now()):
            raise TwoFactorOffError("There is nothing to confirm. Begin again.")
        record(user, "accounts.two_factor.switched_on", user)
        return _new_recovery_codes(user)


def require_code(*, user: User, code: str) -> None:
    """The second step of a sign-in; passes when it is off. A code works once.

    Raises SecondFactorRequiredError, SecondFactorInvalidError (401), SignInLockedError (429),
    VaultError (409) when the secret of the app cannot be read and it is no recovery code.
    """
    device = TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).first()
    if device is None:
        return
    if not code.strip():
        raise SecondFactorRequiredError
    take_guess(_subject(user))
    # First: it opens the door too when the vault cannot read the secret of the app.
    is_recovery_code = _spend_recovery_code(user, code)
    _judge(user, is_right=is_recovery_code or _is_code_of(device, code))


def switch_off(*, user: User, actor: User) -> None:
    """The next sign-in asks for the password only. Raises TwoFactorOffError.

    The caller has checked password and code, or that the actor may do this to others.
    """
    with transaction.atomic():
        if not TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).delete()[0]:
            raise TwoFactorOffError
        RecoveryCode.objects.filter(user=user).delete()
        record(actor, "accounts.two_factor.switched_off", user)


def renew_recovery_codes(*, user: User, code: str) -> list[str]:
    """New ones; the old ones are void. Raises TwoFactorOffError and what `require_code` does."""
    if not is_on(user):
        raise TwoFactorOffError
    require_code(user=user, code=code)
    with transaction.atomic():
        record(user, "accounts.two_factor.recovery_codes_renewed", user)
        return _new_recovery_codes(user)


def recovery_codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user).count()


def _pending(user: User) -> QuerySet[TotpDevice]:
    return TotpDevice.objects.filter(user=user, confirmed_at=None)


def _wait_for_turn(user: User) -> None:
    """Until the caller's transaction ends, others who ask for the same user wait."""
    User.objects.select_for_update().get(pk=user.pk)


def _judge(user: User, *, is_right: bool) -> None:
    if not is_right:
        raise SecondFactorInvalidError
    forget_wrong_guesses(_subject(user))


def _is_code_of(device: TotpDevice, code: str) -> bool:
    """Whether it is a code of now that was not used before. Uses it up."""
    digits = code.replace(" ", "")
    key = base64.b32decode(_secret_of(device))
    generator = _generator(key)
    now = int(time.time()) // STEP_SECONDS
    for step in range(now - STEPS_OFF, now + STEPS_OFF + 1):
        expected = generator.generate(step * STEP_SECONDS)
        if hmac.compare_digest(expected, digits.encode()):
            rows = TotpDevice.objects.filter(pk=device.pk, last_step__lt=step)
            return bool(rows.update(last_step=step))
    return False


def _secret_of(device: TotpDevice) -> str:
    try:
        return vault.open_from(device, "secret")
    except vault.VaultError as error:
        message = _(
            "The secret of your authenticator app cannot be read here any more. Use a recovery "
            "code, or ask an administrator to switch two-factor sign-in off for you."
        )
        raise vault.VaultError(message, key_id=error.key_id) from error


def _spend_recovery_code(user: User, code: str) -> bool:
    rows = RecoveryCode.objects.filter(user=user, hashed=_hash(user, code))
    return rows.delete()[0] == 1


def _new_recovery_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, hashed=_hash(user, code)) for code in codes
    )
    return codes


def _recovery_code() -> str:
    """50 random bits: `abcde-fghij`."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()[:10]
    return f"{text[:5]}-{text[5:]}"


def _hash(user: User, code: str) -> str:
    plain = code.strip().lower().replace("-", "").replace(" ", "")
    salt = f"accounts.recovery.{user.pk}"
    return salted_hmac(salt, plain, algorithm="sha256").hexdigest()


def _enrolment(user: User, secret: str) -> Enrolment:
    uri = _generator(base64.b32decode(secret)).get_provisioning_uri(user.username, ISSUER)
    return Enrolment(secret, uri, segno.make_qr(uri).svg_data_uri(scale=5, border=2))


def _generator(key: bytes) -> TOTP:
    return TOTP(key, 6, SHA1(), STEP_SECONDS)  # noqa: S303 - what authenticator apps speak


def _subject(user: User) -> str:
    # By user alone: who guesses here knows the password already, from wherever.
    return f"code:{user.pk}"
