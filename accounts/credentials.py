"""What somebody signed in with, as a short text: websockets keep it and ask whether it still holds.

`device.<id of the DeviceSession>`, `key.<id of the ApiKey>`; empty for those who did not sign in.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import hooks
from accounts.models import ApiKey, DeviceSession


def credential_of(auth: Any) -> str:
    """The credential behind `request.auth`."""
    if isinstance(auth, ApiKey):
        return f"key.{auth.pk}"
    return f"device.{auth.pk}" if isinstance(auth, DeviceSession) else ""


def is_live(credential: str) -> bool:
    """Whether it has not been ended since; nothing to end was never ended."""
    kind, _, row_id = credential.partition(".")
    if kind == "device":
        rows = DeviceSession.objects.filter(pk=UUID(row_id), revoked_at=None)
        return rows.filter(user__is_active=True).exists()
    if kind == "key":
        return ApiKey.objects.live().filter(pk=UUID(row_id)).exists()
    return not credential


def tell_ended(auth: Any) -> None:
    """Have everything closed that is open with it, once the transaction is committed."""
    credential = credential_of(auth)
    for hook in hooks.SIGN_IN_ENDED:
        transaction.on_commit(partial(hook, credential))
