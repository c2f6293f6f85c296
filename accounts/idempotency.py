"""`Idempotency-Key`: the second POST with a key gets the answer of the first."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.utils import timezone

from accounts.errors import IdempotencyConflictError, IdempotencyReusedError
from accounts.models import IdempotencyRecord, User
from livestudio.common import vault
from livestudio.common.errors import InvalidInputError

KEY_MAX_CHARACTERS = 128
# What a sealed body is bound to; the name it had when it still lay in `body`.
_SEALED_AS = "body"
KEPT_FOR = timedelta(hours=24)
# A request that has not answered by then died with its process.
ANSWER_WITHIN = timedelta(seconds=60)


def claim(*, user: User, key: str, scope: str, fingerprint: str) -> IdempotencyRecord:
    """The record of this key: new (`status` None, answer it) or answered (repeat it).

    scope: the same key elsewhere is another key, see `scope_of`.

    Raises IdempotencyConflictError (409), IdempotencyReusedError (422), InvalidInputError.
    """
    if len(key) > KEY_MAX_CHARACTERS or not key.isprintable() or not key.isascii():
        message = f"Use at most {KEY_MAX_CHARACTERS} printable ASCII characters."
        raise InvalidInputError.of("Idempotency-Key", message)
    _forget_old(user)
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(
                user=user, key=key, scope=scope, fingerprint=fingerprint
            )
    except IntegrityError:
        return _existing(user, key, scope, fingerprint)


def complete(record: IdempotencyRecord, *, status: int, body: Any, is_secret: bool = False) -> None:
    """Keep the answer. body: plain JSON. is_secret: it holds what no row may show."""
    sealed = ""
    if is_secret:
        sealed = vault.seal(json.dumps(body), vault.context_of(record, _SEALED_AS))
        body = None
    rows = IdempotencyRecord.objects.filter(pk=record.pk)
    rows.update(status=status, body=body, sealed_body=sealed)


def body_of(record: IdempotencyRecord) -> Any:
    """The body that was kept. Raises VaultError."""
    if not record.sealed_body:
        return record.body
    try:
        context = vault.context_of(record, _SEALED_AS)
        return json.loads(vault.open_sealed(record.sealed_body, context))
    except vault.VaultError as error:
        message = "The first answer cannot be read any more. Send it with a new Idempotency-Key."
        raise vault.VaultError(message) from error


def forget(record: IdempotencyRecord) -> None:
    """The request did not come to an answer worth repeating: the key may be used again."""
    IdempotencyRecord.objects.filter(pk=record.pk).delete()


def scope_of(organization: str, address: str, key: str) -> str:
    """Where a key counts: for one organization, at one address, as it is written.

    To MySQL "A1" is "a1"; to who sent them they are two requests.
    """
    return hashlib.sha256(f"{organization}\n{address}\n{key}".encode()).hexdigest()


def fingerprint(content_type: str, data: Any) -> str:
    """What makes two bodies the same one: what was parsed, files by what is in them."""
    digest = hashlib.sha256(f"{content_type}\n".encode())
    if isinstance(data, QueryDict):
        _digest_form(digest, data)
    else:
        digest.update(json.dumps(data, sort_keys=True).encode())
    return digest.hexdigest()


def _digest_form(digest: Any, form: QueryDict) -> None:
    for name, values in sorted(form.lists()):
        for value in values:
            digest.update(json.dumps([name, getattr(value, "name", value)]).encode())
            if isinstance(value, UploadedFile):
                for chunk in value.chunks():
                    digest.update(chunk)
                value.seek(0)


def _existing(user: User, key: str, scope: str, fingerprint: str) -> IdempotencyRecord:
    record = IdempotencyRecord.objects.filter(user=user, key=key, scope=scope).first()
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
