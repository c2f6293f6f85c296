"""Access and refresh tokens: signed claims that point at one device session.

Claims: user_id, sid (device session), dfp (fingerprint of the device id), pwf (of the password:
changing it ends every token), rid (id of the refresh token that was given with it), iat, exp, jti.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.errors import TokenInvalidError
from accounts.models import DeviceSession, User


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. token_id: jti. renewal_id: rid, of a refresh token its own jti."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    device_fingerprint: str
    password_fingerprint: str
    token_id: str
    renewal_id: str


def make_access(session: DeviceSession) -> str:
    return str(_with_claims(AccessToken(), session))


def make_refresh(session: DeviceSession) -> str:
    """The token of the id that the session keeps."""
    token = RefreshToken()
    token["jti"] = session.refresh_id
    return str(_with_claims(token, session))


def new_refresh_id() -> str:
    return uuid.uuid4().hex


def read_access(raw: str) -> Claims:
    """Raises TokenInvalidError."""
    return _read(AccessToken, raw)


def read_refresh(raw: str) -> Claims:
    """Raises TokenInvalidError."""
    return _read(RefreshToken, raw)


def is_for_device(claims: Claims, device_id: str) -> bool:
    return hmac.compare_digest(claims.device_fingerprint, fingerprint_device(device_id))


def is_for_password(claims: Claims, user: User) -> bool:
    return hmac.compare_digest(claims.password_fingerprint, fingerprint_password(user))


def fingerprint_device(device_id: str) -> str:
    return salted_hmac("accounts.device", device_id, algorithm="sha256").hexdigest()[:16]


def fingerprint_password(user: User) -> str:
    return salted_hmac("accounts.password", user.password, algorithm="sha256").hexdigest()[:16]


def _with_claims(token: Token, session: DeviceSession) -> Token:
    token["user_id"] = str(session.user_id)
    token["sid"] = str(session.pk)
    token["dfp"] = fingerprint_device(session.device_id)
    token["pwf"] = fingerprint_password(session.user)
    token["rid"] = session.refresh_id
    return token


def _read(kind: type[Token], raw: str) -> Claims:
    try:
        token: Any = kind(raw.encode())  # type: ignore[arg-type]  # bytes are what PyJWT takes
        return Claims(
            uuid.UUID(str(token["user_id"])),
            uuid.UUID(str(token["sid"])),
            str(token["dfp"]),
            str(token["pwf"]),
            str(token["jti"]),
            str(token.get("rid", token["jti"])),
        )
    except (TokenError, KeyError, ValueError) as error:
        raise TokenInvalidError from error
