"""API keys: programs that work for one organization, within scopes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import record
from accounts.credentials import tell_changed
from accounts.errors import ApiKeyInvalidError
from accounts.models import ApiKey, Membership, Organization, User
from accounts.roles import SCOPES, Role, SystemActor, require_permission
from accounts.scope import every_organization
from livestudio.common.errors import ErrorDetail, InvalidInputError

# `last_used_at` is exact to this: not every request writes a row.
LAST_USED_STEP = timedelta(minutes=1)
_MARK = "ls_"


@dataclass(frozen=True, slots=True)
class ApiKeyDraft:
    """What an owner says about a new key. expires_at None: it does not end by itself."""

    name: str
    scopes: frozenset[str]
    expires_at: datetime | None = None


def create_api_key(
    *, organization: Organization, draft: ApiKeyDraft, actor: User | SystemActor
) -> tuple[ApiKey, str]:
    """(the row, the key itself, which is never shown again).

    Raises ForbiddenError, InvalidInputError.
    """
    require_permission(actor, "organization.manage", organization)
    _check(draft)
    number = secrets.token_hex(6)
    plain = f"{_MARK}{number}_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        key = ApiKey.objects.create(
            organization=organization,
            membership=_machine(organization, number, draft.scopes),
            name=draft.name.strip(),
            prefix=f"{_MARK}{number}",
            hashed=_hash(plain),
            created_by=actor if isinstance(actor, User) else None,
            expires_at=draft.expires_at,
        )
        data = {"name": key.name, "prefix": key.prefix, "scopes": key.scopes}
        record(actor, "accounts.api_key.created", key, data=data)
    return key, plain


def revoke_api_key(*, key: ApiKey, actor: User | SystemActor) -> None:
    """Refuse the key from now on, and close what is open with it. Raises ForbiddenError."""
    require_permission(actor, "organization.manage", key.organization)
    with transaction.atomic():
        rows = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
        if not rows.update(revoked_at=timezone.now()):
            return
        User.objects.filter(pk=key.membership.user_id).update(is_active=False)
        record(actor, "accounts.api_key.revoked", key, data={"prefix": key.prefix})
        tell_changed(key)


def use_api_key(plain: str) -> ApiKey:
    """The key of a request. Raises ApiKeyInvalidError."""
    prefix, _, _ = plain.removeprefix(_MARK).partition("_")
    rows = ApiKey.objects.live().select_related("membership__user", "organization")
    with every_organization():  # who asks is known only afterwards
        key: ApiKey | None = rows.filter(prefix=f"{_MARK}{prefix}"[:20]).first()
    if key is None or not hmac.compare_digest(key.hashed, _hash(plain)):
        raise ApiKeyInvalidError
    now = timezone.now()
    is_stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_STEP)
    if key.last_used_at is None or key.last_used_at < now - LAST_USED_STEP:
        ApiKey.objects.filter(is_stale, pk=key.pk).update(last_used_at=now)
    return key


def with_needed_views(scopes: frozenset[str]) -> frozenset[str]:
    """What a scope needs comes with it: who edits shows can read them."""
    return scopes | {f"{scope.partition('.')[0]}.view" for scope in scopes}


def _machine(organization: Organization, number: str, scopes: frozenset[str]) -> Membership:
    """The user that acts when the key is used: audit entries and rights are theirs."""
    user = User(username=f"key_{number}", is_machine=True)
    user.set_unusable_password()
    user.save(force_insert=True)
    return Membership.objects.create(
        organization=organization,
        user=user,
        role=Role.PRODUCER,
        scopes=sorted(with_needed_views(scopes)),
    )


def _check(draft: ApiKeyDraft) -> None:
    details: list[ErrorDetail] = []
    if not draft.name.strip():
        details.append(ErrorDetail("name", "invalid", "Give the key a name."))
    unknown = sorted(draft.scopes - SCOPES)
    if unknown or not draft.scopes:
        what = f"There is no scope {unknown[0]!r}." if unknown else "Choose at least one scope."
        known = ", ".join(sorted(SCOPES))
        details.append(ErrorDetail("scopes", "invalid", f"{what} There are: {known}."))
    if draft.expires_at is not None and draft.expires_at <= timezone.now():
        details.append(ErrorDetail("expires_at", "invalid", "Give a time in the future."))
    if details:
        raise InvalidInputError(details=tuple(details))


def _hash(plain: str) -> str:
    # Not a password: 256 random bits need no slow hash.
    return hashlib.sha256(plain.encode()).hexdigest()
