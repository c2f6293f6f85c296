"""Sign-in on a device, refresh, sign-out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.utils import timezone

from accounts import tokens
from accounts.audit import record
from accounts.credentials import tell_changed
from accounts.errors import (
    CredentialsInvalidError,
    DeviceMismatchError,
    SignedOutError,
    TokenInvalidError,
)
from accounts.models import DeviceSession, User
from accounts.services import two_factor
from accounts.services.hashing import password_work
from accounts.services.locks import forget_wrong_guesses, note_wrong_guess, require_unlocked
from accounts.services.verification import require_verified
from livestudio.common.errors import NotFoundError

# Two tabs of one browser may refresh with the same cookie at the same moment.
REFRESH_GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Device:
    """id: chosen by the client, else by us. is_bound: the client will send it with each token."""

    id: str
    name: str
    is_bound: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a client gets: two tokens and the device session they belong to."""

    access: str
    refresh: str
    session: DeviceSession


def sign_in(
    *, username: str, password: str, device: Device, address: str, code: str = ""
) -> SignIn:
    """Tokens for a password, and a code where the user has switched that on.

    Raises CredentialsInvalidError, SecondFactorRequiredError, SecondFactorInvalidError (401),
    EmailUnverifiedError (403), SignInLockedError (429).
    """
    user = check_password(username=username, password=password, address=address)
    two_factor.require_code(user=user, code=code)
    require_verified(user)
    return open_session(user=user, device=device)


def check_password(*, username: str, password: str, address: str) -> User:
    """The user with this password.

    Raises CredentialsInvalidError (401), SignInLockedError, AddressBusyError (429),
    SignInBusyError (503).
    """
    name = User.normalize_username(username)
    # By name and address: a stranger cannot lock somebody out from elsewhere.
    subject = f"password:{name}:{address}"
    require_unlocked(subject)
    with password_work(address):
        user = authenticate(username=name, password=password)
    # To MySQL "álice" is "alice": each way to write it would have guesses of its own.
    if not isinstance(user, User) or user.username != name:
        note_wrong_guess(subject)
        raise CredentialsInvalidError
    forget_wrong_guesses(subject)
    return user


def open_session(*, user: User, device: Device) -> SignIn:
    """A new session on this device; the one that was open there ends."""
    now = timezone.now()
    _end(DeviceSession.objects.filter(user=user, device_id=device.id))
    session = DeviceSession(
        user=user,
        device_id=device.id,
        name=device.name,
        is_bound=device.is_bound,
        last_used_at=now,
    )
    session.refresh_id = tokens.new_refresh_id()
    session.save()
    record(user, "accounts.device.signed_in", session, data={"device": device.name})
    return _tokens_of(session)


def refresh_session(*, raw: str, device_id: str | None, is_browser: bool) -> SignIn:
    """New tokens for old. A spent refresh token ends the session: it may be stolen.

    is_browser: its tabs share one cookie, and two may send it before the new one is there; the last
    token is still good for REFRESH_GRACE, and until what came for it is used: on a phone's network
    the answer may be lost (ADR 0058).

    Raises TokenInvalidError, SignedOutError, DeviceMismatchError (401).
    """
    claims = tokens.read_refresh(raw)
    session = check_session(claims, device_id)
    rows = DeviceSession.objects.filter(pk=session.pk, revoked_at=None)
    renewed_id = (
        _renew(rows.filter(refresh_id=claims.token_id), claims)
        or (_given_just_now(rows, claims) if is_browser else None)
        or (_renew(_lost(rows, claims), claims) if is_browser and session.is_bound else None)
    )
    if renewed_id is None:
        _end(rows)
        raise SignedOutError("This sign-in was renewed elsewhere. Sign in again.")
    session.refresh_id = renewed_id
    return _tokens_of(session)


def _renew(rows: QuerySet[DeviceSession], claims: tokens.Claims) -> str | None:
    """The id of the next refresh token; None when none of these sessions takes it."""
    fresh_id = tokens.new_refresh_id()
    is_renewed = rows.update(
        refresh_id=fresh_id,
        previous_refresh_id=claims.token_id,
        has_arrived=False,
        last_used_at=timezone.now(),
    )
    return fresh_id if is_renewed else None


def _given_just_now(rows: QuerySet[DeviceSession], claims: tokens.Claims) -> str | None:
    """The id that another tab of the browser was given for the same token."""
    since = timezone.now() - REFRESH_GRACE
    recent = rows.filter(previous_refresh_id=claims.token_id, last_used_at__gt=since)
    return recent.values_list("refresh_id", flat=True).first()


def _lost(rows: QuerySet[DeviceSession], claims: tokens.Claims) -> QuerySet[DeviceSession]:
    """The session if nothing that came for this token was ever used."""
    return rows.filter(previous_refresh_id=claims.token_id, has_arrived=False)


def _tokens_of(session: DeviceSession) -> SignIn:
    return SignIn(tokens.make_access(session), tokens.make_refresh(session), session)


def use_access(*, raw: str, device_id: str | None) -> DeviceSession:
    """The session of an access token. With its first use the refresh token before it is spent.

    One that came in an answer which was asked for again is refused: it may be in other hands.
    Raises TokenInvalidError, SignedOutError, DeviceMismatchError (401).
    """
    claims = tokens.read_access(raw)
    session = check_session(claims, device_id)
    if claims.renewal_id not in (session.refresh_id, session.previous_refresh_id):
        raise TokenInvalidError
    if not session.has_arrived and claims.renewal_id == session.refresh_id:
        newest = DeviceSession.objects.filter(pk=session.pk, refresh_id=claims.renewal_id)
        newest.update(has_arrived=True)
    return session


def check_session(claims: tokens.Claims, device_id: str | None) -> DeviceSession:
    """The live session of a token. device_id: what the client sent, None = nothing.

    Raises SignedOutError, DeviceMismatchError (401).
    """
    try:
        # Not first(): the order of one row costs as much as reading the token.
        session = DeviceSession.objects.select_related("user").get(pk=claims.session_id)
    except DeviceSession.DoesNotExist as error:
        raise SignedOutError from error
    if session.revoked_at is not None or not session.user.is_active:
        raise SignedOutError
    if session.user_id != claims.user_id:
        raise SignedOutError
    if not tokens.is_for_password(claims, session.user):
        raise SignedOutError("The password was changed. Sign in again.")
    if device_id is None and session.is_bound:
        raise DeviceMismatchError
    if device_id is not None and not tokens.is_for_device(claims, device_id):
        raise DeviceMismatchError
    return session


def sign_out(*, session: DeviceSession) -> None:
    """End one session; its tokens are refused from now on."""
    if _end(DeviceSession.objects.filter(pk=session.pk)):
        record(session.user, "accounts.device.signed_out", session)


def sign_out_everywhere(*, user: User, but: DeviceSession | None = None) -> None:
    """End every session of a user, but for the one given."""
    rows = DeviceSession.objects.filter(user=user)
    if _end(rows.exclude(pk=but.pk) if but else rows):
        record(user, "accounts.device.signed_out_everywhere", user)


def sign_out_device(*, user: User, device_id: str) -> None:
    """End what is open on a device of the user. Raises NotFoundError."""
    session = DeviceSession.objects.filter(user=user, device_id=device_id, revoked_at=None).first()
    if session is None:
        raise NotFoundError("There is no such device.")
    sign_out(session=session)


def _end(rows: QuerySet[DeviceSession]) -> int:
    """End the open ones of these sessions, and what they opened. Returns how many."""
    open_now = list(rows.filter(revoked_at=None))
    if not open_now:
        return 0
    ended = rows.filter(revoked_at=None).update(revoked_at=timezone.now())
    tell_changed(*open_now)
    return ended


def device_of(session: DeviceSession) -> Device:
    """The device of a session, to open another on it."""
    return Device(id=session.device_id, name=session.name, is_bound=session.is_bound)


def new_device_id() -> str:
    return uuid.uuid4().hex
