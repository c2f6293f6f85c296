"""Secrets at rest."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import translation

from accounts.models import Organization, User
from livestudio.checks import check_vault_keys
from livestudio.common import vault, vault_rotation
from livestudio.doctor import check_vault
from livestudio.env import generate_field_key
from streams.models import Output
from tests.factories import AvatarFactory, OrganizationFactory, UserFactory
from voices.models import Voice


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


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
    with pytest.raises(vault.VaultError, match="FIELD_KEYS") as caught:
        vault.open_sealed(sealed, "x")
    assert caught.value.key_id == vault.key_id(old)
    assert vault.key_id(old) in caught.value.message


def test_secrets_of_the_first_version_open_and_take_the_new_form(settings: Any) -> None:
    old, new = generate_field_key(), generate_field_key()
    bound = json.dumps(["x", "secret"]).encode()
    sealed = Fernet(old).encrypt(bound).decode()

    settings.FIELD_KEYS = [new, old]
    fresh = vault.reseal(sealed)
    opened = vault.open_sealed(sealed, "x"), vault.open_sealed(fresh, "x")

    assert opened == ("secret", "secret")
    assert vault.key_id_of(fresh) == vault.key_id(new)
    assert vault.reseal(fresh) == fresh


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
    head, _, token = sealed.rpartition(".")
    middle = len(token) // 2
    flipped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]

    for text in (f"{head}.{flipped}", sealed[:-4] + "AAA=", "not a token", "k1..", "k1.x.y", "."):
        with pytest.raises(vault.VaultError, match=r"damaged|not in FIELD_KEYS"):
            vault.open_sealed(text, "x")


@pytest.mark.django_db
def test_a_secret_copied_to_another_place_does_not_open_there() -> None:
    first, second, elsewhere = make_output(), make_output(), make_output(own=True)
    voice = Voice(organization=first.organization, pk=first.pk)
    for target, field in (
        (second, "sealed_stream_key"),
        (elsewhere, "sealed_stream_key"),
        (voice, "sealed_api_key"),
    ):
        setattr(target, field, first.sealed_stream_key)
        with pytest.raises(vault.VaultError, match="another row"):
            vault.open_from(target, field)


def make_output(*, own: bool = False) -> Output:
    """With the key live_123."""
    organization = None if own else Organization.objects.filter(name="Shared").first()
    organization = organization or OrganizationFactory(name="Own" if own else "Shared")
    output = Output(organization=organization, name="Live", kind="rtmp", url="rtmp://x/y")
    vault.seal_into(output, "sealed_stream_key", "live_123")
    output.save()
    return output


def rotate() -> str:
    said = io.StringIO()
    call_command("rotate_keys", stdout=said)
    return said.getvalue()


@pytest.mark.django_db
def test_rotate_keys_makes_the_old_key_needless(settings: Any) -> None:
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    output = make_output()

    settings.FIELD_KEYS = [new, old]
    assert rotate().startswith("1 secrets were encrypted with the first key, 0 already")
    assert rotate().startswith("0 secrets were encrypted with the first key, 1 already")
    settings.FIELD_KEYS = [new]

    output.refresh_from_db()
    assert vault.open_from(output, "sealed_stream_key") == "live_123"


@pytest.mark.django_db
def test_a_rotation_that_is_cut_off_goes_on_where_it_was(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    outputs = [make_output() for _ in range(5)]
    monkeypatch.setattr(vault_rotation, "BATCH_ROWS", 2)

    settings.FIELD_KEYS = [new, old]
    batches = vault_rotation.rotate_all(vault_rotation.Rotation())
    assert next(batches).renewed == 2
    batches.close()  # type: ignore[attr-defined]

    assert rotate().startswith("3 secrets were encrypted with the first key, 2 already")
    settings.FIELD_KEYS = [new]
    for output in outputs:
        output.refresh_from_db()
        assert vault.open_from(output, "sealed_stream_key") == "live_123"


@pytest.mark.django_db
def test_a_secret_replaced_during_the_rotation_stays(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    output = make_output()
    settings.FIELD_KEYS = [new, old]
    reseal = vault.reseal

    def reseal_while_somebody_pastes(ciphertext: str) -> str:
        fresh = Output.objects.get(pk=output.pk)
        vault.seal_into(fresh, "sealed_stream_key", "pasted_now")
        fresh.save()
        return reseal(ciphertext)

    monkeypatch.setattr(vault, "reseal", reseal_while_somebody_pastes)

    assert rotate().startswith("0 secrets")
    output.refresh_from_db()
    assert vault.open_from(output, "sealed_stream_key") == "pasted_now"


@pytest.mark.django_db
def test_what_cannot_be_read_is_named_and_does_not_stop_the_rest(settings: Any) -> None:
    lost, old, new = (generate_field_key() for _ in range(3))
    settings.FIELD_KEYS = [lost]
    unreadable = make_output()
    settings.FIELD_KEYS = [old]
    readable = make_output()

    settings.FIELD_KEYS = [new, old]
    with pytest.raises(CommandError) as caught:
        rotate()

    assert str(unreadable.pk) in str(caught.value)
    assert vault.key_id(lost) in str(caught.value)
    readable.refresh_from_db()
    assert vault.key_id_of(readable.sealed_stream_key) == vault.key_id(new)


@pytest.mark.django_db
def test_doctor_and_check_name_the_key_that_is_missing(settings: Any) -> None:
    lost, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [lost]
    make_output()
    assert check_vault_keys(databases=["default"]) == []
    assert [finding.level for finding in check_vault()] == ["ok"]

    settings.FIELD_KEYS = [new]
    (message,) = check_vault_keys(databases=["default"])
    (finding,) = check_vault()

    assert (message.id, finding.level) == ("livestudio.W020", "stop")
    assert f"1 secrets need the key {vault.key_id(lost)}" in message.msg
    assert vault.key_id(lost) in finding.text
