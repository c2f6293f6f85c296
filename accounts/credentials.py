"""What somebody signed in with, as a short text: websockets keep it and ask whether it still holds.

`device.<id of the DeviceSession>`, `key.<id of the ApiKey>`; empty for those who did not sign in.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import hooks
from accounts.models import ApiKey, DeviceSession, User


def credential_of(auth: Any) -> str:
    """The credential behind `request.auth`."""
    if isinstance(auth, ApiKey):
        return f"key.{auth.pk}"
    return f"device.{auth.pk}" if isinstance(auth, DeviceSession) else ""


def is_live(credential: str) -> bool:
    """Whether it has not been ended since; nothing to end was never ended."""
    return credential in live_of([credential])


def live_of(credentials: Collection[str]) -> set[str]:
    """Those that have not been ended since: `is_live` for many, with a query for each kind."""
    ids: dict[str, list[UUID]] = {"device": [], "key": []}
    for credential in credentials:
        kind, _, row_id = credential.partition(".")
        if kind in ids:
            ids[kind].append(UUID(row_id))
    live = {""}
    if ids["device"]:
        devices = DeviceSession.objects.filter(pk__in=ids["device"], revoked_at=None)
        devices = devices.filter(user__is_active=True)
        live |= {f"device.{key}" for key in devices.values_list("pk", flat=True)}
    if ids["key"]:
        keys = ApiKey.objects.live().filter(pk__in=ids["key"])
        live |= {f"key.{key}" for key in keys.values_list("pk", flat=True)}
    return live


def tell_changed(*auths: ApiKey | DeviceSession) -> None:
    """Have what is open with these ask for its right again, once the transaction is committed."""
    credentials = [credential_of(auth) for auth in auths]
    for hook in hooks.SIGN_INS_CHANGED:
        transaction.on_commit(partial(hook, credentials))


def tell_lost_right(user: User) -> None:
    """The same for all that this user has signed in with; before the user is deleted."""
    tell_changed(*DeviceSession.objects.filter(user=user, revoked_at=None))
