"""The vault: secrets at rest, encrypted and bound to the row they belong to.

    key = SealedTextField(blank=True)
    vault.seal_into(output, "key", "live_123")   # then save the row
    vault.open_from(output, "key")               # -> "live_123"

A ciphertext copied to another row, table or organization cannot be opened there. The first key of
FIELD_KEYS encrypts, all of them decrypt: put a new key first, then run `manage.py rotate_keys`.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models


class VaultError(Exception):
    """A sealed value cannot be opened: the key is gone, or it was moved from another row."""


class SealedTextField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """Holds ciphertext only. Never shown in forms; written and read by this module alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)


def seal(plaintext: str, context: str) -> str:
    """Ciphertext that opens only with the same context."""
    bound = json.dumps([context, plaintext], ensure_ascii=False)
    return _fernet().encrypt(bound.encode()).decode()


def open_sealed(ciphertext: str, context: str) -> str:
    """The plaintext. Raises VaultError when key or context is not the one it was sealed with."""
    try:
        bound_context, plaintext = json.loads(_fernet().decrypt(ciphertext.encode()))
    except InvalidToken as error:
        raise VaultError(f"no key of FIELD_KEYS opens the secret of {context}") from error
    if bound_context != context:
        raise VaultError(f"the secret of {context} belongs to another row")
    return str(plaintext)


def seal_into(instance: models.Model, field: str, plaintext: str) -> None:
    """Seal a secret into a field of an instance; the caller saves it. Empty text clears it."""
    setattr(instance, field, seal(plaintext, context_of(instance, field)) if plaintext else "")


def open_from(instance: models.Model, field: str) -> str:
    """The secret of a field, empty when there is none. Raises VaultError."""
    ciphertext = getattr(instance, field)
    return open_sealed(ciphertext, context_of(instance, field)) if ciphertext else ""


def context_of(instance: models.Model, field: str) -> str:
    """organization:model:field:pk, what a secret is bound to."""
    organization = getattr(instance, "organization_id", None)
    return f"{organization}:{instance._meta.label_lower}:{field}:{instance.pk}"


def rotate_all() -> int:
    """Encrypt every sealed value again with the first key. Returns how many; raises VaultError."""
    return sum(_rotate_model(model) for model in apps.get_models())


def _rotate_model(model: type[models.Model]) -> int:
    names = [item.name for item in model._meta.fields if isinstance(item, SealedTextField)]
    count = 0
    for name in names:
        rows = model._default_manager.exclude(**{name: ""}).values_list("pk", name)
        for pk, ciphertext in rows.iterator():
            fresh = _rotate(ciphertext, f"{model._meta.label_lower} {pk}")
            # Only if unchanged meanwhile: a key replaced during the rotation must not come back.
            count += model._default_manager.filter(pk=pk, **{name: ciphertext}).update(
                **{name: fresh}
            )
    return count


def _rotate(ciphertext: str, context: str) -> str:
    try:
        return _fernet().rotate(ciphertext.encode()).decode()
    except InvalidToken as error:
        raise VaultError(f"no key of FIELD_KEYS opens the secret of {context}") from error


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
