"""`Idempotency-Key`: the second POST with a key gets the answer of the first."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.errors import IdempotencyConflictError, IdempotencyReusedError
from accounts.models import IdempotencyRecord, User
from livestudio.common import vault
from livestudio.common.errors import InvalidInputError

KEY_MAX_CHARACTERS = 128
_SEALED = "sealed answer"
KEPT_FOR = timedelta(hours=24)
# A request that has not answered by then died with its process.
ANSWER_WITHIN = timedelta(seconds=60)


def claim(*, user: User, key: str, fingerprint: str) -> IdempotencyRecord:
    """The record of this key: new (`status` None, answer it) or answered (repeat it).

    Raises IdempotencyConflictError (409), IdempotencyReusedError (422), InvalidInputError.
    """
    if len(key) > KEY_MAX_CHARACTERS or not key.isprintable() or not key.isascii():
        message = f"Use at most {KEY_MAX_CHARACTERS} printable ASCII characters."
        raise InvalidInputError.of("Idempotency-Key", message)
    _forget_old(user)
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(user=user, key=key, fingerprint=fingerprint)
    except IntegrityError:
        return _existing(user, key, fingerprint)


def complete(record: IdempotencyRecord, *, status: int, body: Any, is_secret: bool = False) -> None:
    """Keep the answer. body: plain JSON. is_secret: it holds what no row may show."""
    if is_secret:
        body = {_SEALED: vault.seal(json.dumps(body), vault.context_of(record, "body"))}
    IdempotencyRecord.objects.filter(pk=record.pk).update(status=status, body=body)


def body_of(record: IdempotencyRecord) -> Any:
    """The body that was kept."""
    if isinstance(record.body, dict) and set(record.body) == {_SEALED}:
        return json.loads(vault.open_sealed(record.body[_SEALED], vault.context_of(record, "body")))
    return record.body


def forget(record: IdempotencyRecord) -> None:
    """The request did not come to an answer worth repeating: the key may be used again."""
    IdempotencyRecord.objects.filter(pk=record.pk).delete()


def fingerprint_request(method: str, path: str, content_type: str, body: bytes) -> str:
    """What makes two requests the same one."""
    head = f"{method}\n{path}\n{content_type}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def _existing(user: User, key: str, fingerprint: str) -> IdempotencyRecord:
    record = IdempotencyRecord.objects.filter(user=user, key=key).first()
    if record is None:
        raise IdempotencyConflictError(retry_after_seconds=1)
    if record.fingerprint != fingerprint:
        raise IdempotencyReusedError
    if record.status is None:
        raise IdempotencyConflictError(retry_after_seconds=1)
    return record


def _forget_old(user: User) -> None:
    now = timezone.now()
    rows = IdempotencyRecord.objects.filter(user=user)
    rows.filter(created_at__lt=now - KEPT_FOR).delete()
    rows.filter(status=None, created_at__lt=now - ANSWER_WITHIN).delete()
