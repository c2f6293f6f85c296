"""The vault: secrets at rest, encrypted and bound to the row they belong to.

    key = SealedTextField(blank=True)
    vault.seal_into(output, "key", "live_123")   # then save the row
    vault.open_from(output, "key")               # -> "live_123"

A ciphertext copied to another row, field, table or organization cannot be opened there. The first
key of FIELD_KEYS encrypts, all of them decrypt; each ciphertext names its key. How keys are
replaced: `livestudio.common.vault_rotation`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _

from livestudio.common.errors import DomainError

# `k1.<key id>.<Fernet token>`; the tokens of the first version stand alone.
_MARK: Final = "k1"
KEY_ID_CHARACTERS: Final = 8


class VaultError(DomainError):
    """A sealed value cannot be opened: its key is gone, or it was changed or moved.

    key_id: of the key that is missing, empty when that is not the reason.
    """

    code = "secret_unreadable"
    status = 409
    message = "A stored secret cannot be read. Paste it again."

    def __init__(self, message: str | None = None, *, key_id: str = "") -> None:
        super().__init__(message)
        self.key_id = key_id


class SealedTextField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """Holds ciphertext only. Never shown in forms; written and read by this module alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)


def seal(plaintext: str, context: str) -> str:
    """Ciphertext that opens only with the same context."""
    key = settings.FIELD_KEYS[0]
    bound = json.dumps([context, plaintext], ensure_ascii=False)
    return f"{_MARK}.{key_id(key)}.{Fernet(key).encrypt(bound.encode()).decode()}"


def open_sealed(ciphertext: str, context: str, *, name: str = "") -> str:
    """The plaintext. Raises VaultError when key or context is not the one it was sealed with.

    name: what it is, in the reader's language, for the error.
    """
    name = name or _("secret")
    try:
        bound = _decrypt(ciphertext)
    except _MissingKeyError as error:
        message = _(
            "The %(name)s cannot be read: the key %(key)s that it was encrypted with is not in "
            "FIELD_KEYS. Paste it again, or have that key put back."
        )
        values = {"name": name, "key": error.key_id}
        raise VaultError(message % values, key_id=error.key_id) from error
    except InvalidToken as error:
        message = _("The %(name)s cannot be read: it was damaged or changed. Paste it again.")
        raise VaultError(message % {"name": name}) from error
    bound_context, plaintext = json.loads(bound)
    if bound_context != context:
        message = _("The %(name)s cannot be read: it belongs to another row. Paste it again.")
        raise VaultError(message % {"name": name})
    return str(plaintext)


def seal_into(instance: models.Model, field: str, plaintext: str) -> None:
    """Seal a secret into a field of an instance; the caller saves it. Empty text clears it."""
    setattr(instance, field, seal(plaintext, context_of(instance, field)) if plaintext else "")


def open_from(instance: models.Model, field: str, *, name: str = "") -> str:
    """The secret of a field, empty when there is none. Raises VaultError."""
    ciphertext = getattr(instance, field)
    return open_sealed(ciphertext, context_of(instance, field), name=name) if ciphertext else ""


def context_of(instance: models.Model, field: str) -> str:
    """organization:model:field:pk, what a secret is bound to."""
    organization = getattr(instance, "organization_id", None)
    return f"{organization}:{instance._meta.label_lower}:{field}:{instance.pk}"


def key_id(key: str) -> str:
    """What a key is called where it may be seen."""
    return hashlib.sha256(key.encode()).hexdigest()[:KEY_ID_CHARACTERS]


def key_id_of(ciphertext: str) -> str:
    """The id of the key that a ciphertext names, empty for those of the first version."""
    mark, _dot, rest = ciphertext.partition(".")
    return rest.partition(".")[0] if mark == _MARK else ""


def reseal(ciphertext: str) -> str:
    """The same secret under the first key; the ciphertext itself if it is. Raises VaultError."""
    first = settings.FIELD_KEYS[0]
    if key_id_of(ciphertext) == key_id(first):
        return ciphertext
    try:
        bound = _decrypt(ciphertext)
    except InvalidToken as error:
        raise VaultError(key_id=getattr(error, "key_id", "")) from error
    return f"{_MARK}.{key_id(first)}.{Fernet(first).encrypt(bound).decode()}"


class _MissingKeyError(InvalidToken):
    """The ciphertext names a key that FIELD_KEYS does not have."""

    def __init__(self, missing: str) -> None:
        super().__init__(missing)
        self.key_id = missing


def _decrypt(ciphertext: str) -> bytes:
    """Raises InvalidToken, _MissingKeyError."""
    named, token = key_id_of(ciphertext), ciphertext.rpartition(".")[2].encode()
    keys = {key_id(key): Fernet(key) for key in settings.FIELD_KEYS}
    if not named:
        return _decrypt_with_any(list(keys.values()), token)
    if named not in keys:
        raise _MissingKeyError(named)
    return keys[named].decrypt(token)


def _decrypt_with_any(keys: list[Fernet], token: bytes) -> bytes:
    for key in keys:
        try:
            return key.decrypt(token)
        except InvalidToken:
            continue
    raise InvalidToken
