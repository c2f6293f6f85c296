"""A secret that cannot be read is told in words at every door, and costs no more than itself."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import translation
from rest_framework.test import APIClient

from accounts.models import IdempotencyRecord, TotpDevice
from accounts.services import two_factor
from livestudio.common import vault
from livestudio.common.reasons import translate_reason
from livestudio.env import generate_field_key
from streams.models import Output
from streams.services.runner_spec import build_runner_spec
from tests.accounts.test_two_factor import code_of
from tests.factories import PASSWORD, UserFactory, api_client, error_of, make_cast
from tests.streams import plans
from voices.models import Voice, VoiceFallback
from voices.selectors import speaking_chain

pytestmark = pytest.mark.django_db


def test_an_output_whose_key_is_lost_waits_for_it_and_the_show_goes_on() -> None:
    cast = make_cast()
    lost, kept = (plans.make_output(cast.organization, cast.alice) for _ in range(2))
    Output.objects.filter(pk=lost.pk).update(sealed_stream_key=kept.sealed_stream_key)
    broadcast = plans.put_live(cast, outputs=[lost, kept])

    spec = build_runner_spec(broadcast, token="t")

    told = {output.desired: output.stream_key for output in spec.outputs}
    assert told == {"waiting_for_key": "", "live": plans.CANARY_KEY}
    row = broadcast.outputs.get(output=lost)
    assert row.state == "waiting_for_key"
    assert "another row" in row.reason
    with translation.override("zh-hans"):
        assert translate_reason(row.reason) == (
            f"无法读取“{lost.name}”的推流密钥：它属于另一行数据。请重新粘贴。"
        )


def test_a_voice_whose_key_is_lost_is_told_at_every_door() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    voice = Voice.objects.create(
        organization=cast.organization,
        name="Server",
        engine="openai_speech",
        language="en-US",
        settings={"base_url": "http://127.0.0.1:9/v1"},
        sealed_api_key=vault.seal("key", "somewhere else"),
    )
    spare = Voice.objects.filter(organization=cast.organization, engine="espeak")[0]

    heard = client.post(f"/api/v1/voices/{voice.pk}/preview/", {"text": "Hi."}, format="json")
    browser = Browser()
    browser.force_login(cast.alice)
    in_admin = browser.post(f"/admin/voices/voice/{voice.pk}/audition/", {"text": "Hi."})

    assert (heard.status_code, error_of(heard)["code"]) == (409, "secret_unreadable")
    assert "Server" in error_of(heard)["message"]
    assert in_admin.status_code == 409
    with pytest.raises(vault.VaultError):
        speaking_chain(voice)
    VoiceFallback.objects.create(voice=voice, fallback=spare, position=0)
    assert [item.name for item, _ in speaking_chain(voice)] == [spare.name]


def test_a_lost_secret_of_an_app_leaves_the_recovery_codes() -> None:
    user = UserFactory()
    enrolment = two_factor.enrol(user=user)
    codes = two_factor.confirm(user=user, code=code_of(enrolment.secret))
    TotpDevice.objects.update(secret="damaged")

    signed_in = APIClient().post(
        "/api/v1/auth/token/",
        {"username": user.username, "password": PASSWORD, "code": "123456"},
        format="json",
    )
    two_factor.require_code(user=user, code=codes[0])

    assert (signed_in.status_code, error_of(signed_in)["code"]) == (409, "secret_unreadable")


def test_a_lost_answer_of_an_idempotency_key_is_told() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    path = f"/api/v1/organizations/{cast.organization.pk}/api-keys/"
    body = {"name": "CI", "scopes": ["show.view"]}
    client.post(path, body, format="json", headers={"Idempotency-Key": "k"})
    IdempotencyRecord.objects.update(sealed_body="damaged")

    repeated = client.post(path, body, format="json", headers={"Idempotency-Key": "k"})

    assert (repeated.status_code, error_of(repeated)["code"]) == (409, "secret_unreadable")


def test_the_answer_of_an_idempotency_key_outlives_the_old_key(settings: Any) -> None:
    """`rotate_keys` takes it along: the old key may go at once, not a day later."""
    old, new = generate_field_key(), generate_field_key()
    settings.FIELD_KEYS = [old]
    cast = make_cast()
    path = f"/api/v1/organizations/{cast.organization.pk}/api-keys/"
    body = {"name": "CI", "scopes": ["show.view"]}

    def ask() -> Any:
        headers = {"Idempotency-Key": "k"}
        return api_client(cast.alice).post(path, body, format="json", headers=headers)

    first = ask()
    settings.FIELD_KEYS = [new, old]
    call_command("rotate_keys", stdout=io.StringIO())
    settings.FIELD_KEYS = [new]
    repeated = ask()

    assert repeated["Idempotency-Replayed"] == "true"
    assert repeated.json() == first.json()
    assert first.json()["key"] not in str(list(IdempotencyRecord.objects.values()))
