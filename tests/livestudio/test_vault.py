"""Secrets at rest."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from livestudio.common import vault
from livestudio.env import generate_field_key
from streams.models import Output
from tests.factories import AvatarFactory, OrganizationFactory, UserFactory


def test_sealed_text_opens_only_in_its_context() -> None:
    sealed = vault.seal("live_密钥", "org:model:1")

    assert "live" not in sealed
    assert vault.open_sealed(sealed, "org:model:1") == "live_密钥"
    with pytest.raises(vault.VaultError, match="another row"):
        vault.open_sealed(sealed, "org:model:2")


def test_new_key_seals_and_old_keys_still_open(settings: Any) -> None:
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    sealed = vault.seal("secret", "x")

    settings.FIELD_KEYS = [new, old]
    assert vault.open_sealed(sealed, "x") == "secret"
    fresh = vault.seal("secret", "x")
    settings.FIELD_KEYS = [new]

    assert vault.open_sealed(fresh, "x") == "secret"
    with pytest.raises(vault.VaultError, match="FIELD_KEYS"):
        vault.open_sealed(sealed, "x")


@pytest.mark.django_db
def test_context_names_organization_model_field_and_row() -> None:
    avatar, user = AvatarFactory(), UserFactory()

    assert vault.context_of(avatar, "key") == (
        f"{avatar.organization_id}:avatars.avatar:key:{avatar.pk}"
    )
    assert vault.context_of(user, "key") == f"None:accounts.user:key:{user.pk}"


def test_empty_secret_clears_the_field() -> None:
    user = User(username="x")
    vault.seal_into(user, "email", "secret")
    assert vault.open_from(user, "email") == "secret"

    vault.seal_into(user, "email", "")

    assert user.email == ""
    assert vault.open_from(user, "email") == ""


def test_tampered_text_does_not_open() -> None:
    sealed = vault.seal("secret", "x")

    with pytest.raises(vault.VaultError):
        vault.open_sealed(sealed[:-4] + "AAA=", "x")
    with pytest.raises(vault.VaultError):
        vault.open_sealed("not a token", "x")


@pytest.mark.django_db
def test_rotate_keys_makes_the_old_key_needless(settings: Any) -> None:
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    output = Output(organization=OrganizationFactory(), name="Live", kind="rtmp", url="rtmp://x/y")
    vault.seal_into(output, "sealed_stream_key", "live_123")
    output.save()

    settings.FIELD_KEYS = [new, old]
    said = io.StringIO()
    call_command("rotate_keys", stdout=said)
    settings.FIELD_KEYS = [new]

    output.refresh_from_db()
    assert said.getvalue().startswith("1 secrets")
    assert vault.open_from(output, "sealed_stream_key") == "live_123"
    settings.FIELD_KEYS = [old]
    with pytest.raises(CommandError, match="Put that key back"):
        call_command("rotate_keys")
