"""Voices through the API."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role
from streams.models import Show
from tests.factories import AvatarFactory, VoiceFactory, add_member, api_client, error_of, make_cast
from voices.models import Voice
from voices.selectors import failover_chain

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VOICE = {
    "name": "Morning",
    "engine": "espeak",
    "language": "en-US",
    "settings": {"gender": "male", "rate": 1.2, "pitch": -10},
}


def test_owner_makes_changes_and_deletes_a_voice() -> None:
    cast = make_cast()
    client = api_client(cast.alice)

    made = client.post("/api/v1/voices/", VOICE)
    address = f"/api/v1/voices/{made.json()['id']}/"
    changed = client.patch(address, {"settings": {"gender": "female"}})
    replaced = client.put(address, {**VOICE, "name": "Evening"})

    assert made.status_code == 201
    assert made.json()["state"] == "ready"
    assert changed.json()["settings"] == {"gender": "female"}
    assert changed.json()["name"] == "Morning"
    assert replaced.json()["name"] == "Evening"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    actions = AuditEntry.objects.filter(actor=cast.alice, object_type="voices.voice")
    assert sorted(actions.values_list("action", flat=True)) == [
        "voices.voice.changed",
        "voices.voice.changed",
        "voices.voice.created",
        "voices.voice.deleted",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"engine": "nothing"}, "engine"),
        ({"engine": "puppet"}, "engine"),
        ({"language": "fr-FR"}, "language"),
        ({"settings": {"gender": "robot"}}, "settings.gender"),
        ({"settings": {"rate": 9}}, "settings.rate"),
        ({"settings": {"rate": True}}, "settings.rate"),
        ({"settings": {"pitch": "high"}}, "settings.pitch"),
        ({"settings": {"speed": 1}}, "settings.speed"),
        ({"settings": ["gender"]}, "settings"),
        ({"fallbacks": ["nothing"]}, "fallbacks.0"),
    ],
)
def test_wrong_values_are_refused_by_name(change: dict[str, Any], field: str) -> None:
    cast = make_cast()

    answer = api_client(cast.alice).post("/api/v1/voices/", {**VOICE, **change})

    assert answer.status_code == 400
    assert field in [detail["field"] for detail in error_of(answer)["details"]]
    assert not Voice.objects.filter(name="Morning").exists()


def test_test_engine_is_refused_unless_switched_on(settings: Any) -> None:
    cast = make_cast()
    settings.TEST_ENGINES = False
    body = {"name": "Tone", "engine": "testtone", "language": "en-US"}

    refused = api_client(cast.alice).post("/api/v1/voices/", body)
    settings.TEST_ENGINES = True
    taken = api_client(cast.alice).post("/api/v1/voices/", body)

    assert error_of(refused)["details"][0]["code"] == "test_only"
    assert taken.status_code == 201


def test_name_is_taken_once_per_organization() -> None:
    cast = make_cast()
    api_client(cast.alice).post("/api/v1/voices/", VOICE)

    english = {"Accept-Language": "en"}
    again = api_client(cast.alice).post("/api/v1/voices/", VOICE, headers=english)
    elsewhere = api_client(cast.charlie).post("/api/v1/voices/", VOICE)

    assert error_of(again)["details"][0] == {
        "field": "name",
        "code": "unique",
        "message": "Another voice of your organization has this name.",
    }
    assert elsewhere.status_code == 201


def test_fallbacks_keep_their_order_and_leave_out_voices_that_are_not_ready() -> None:
    cast = make_cast()
    first, second, broken = (
        VoiceFactory(organization=cast.organization, language="en-US") for _ in range(3)
    )
    Voice.objects.filter(pk=broken.pk).update(state=Voice.State.FAILED)
    wanted = [str(broken.pk), str(second.pk), str(first.pk)]

    made = api_client(cast.alice).post("/api/v1/voices/", {**VOICE, "fallbacks": wanted}).json()

    assert made["fallbacks"] == wanted
    voice = Voice.objects.get(pk=made["id"])
    assert failover_chain(voice) == [voice, second, first]


def test_fallback_must_be_of_this_organization_and_language() -> None:
    cast = make_cast()
    foreign = VoiceFactory(organization=cast.elsewhere, language="en-US")
    chinese = VoiceFactory(organization=cast.organization, language="zh-CN")
    client = api_client(cast.alice)

    for wrong in (foreign, chinese):
        answer = client.post("/api/v1/voices/", {**VOICE, "fallbacks": [str(wrong.pk)]})
        assert answer.status_code == 400
        assert error_of(answer)["details"][0]["field"] == "fallbacks.0"


def test_voice_cannot_fall_back_on_itself() -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization)

    answer = api_client(cast.alice).patch(
        f"/api/v1/voices/{voice.pk}/", {"fallbacks": [str(voice.pk)]}
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_those_who_do_not_produce_see_and_do_not_change(role: str) -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization)
    client = api_client(add_member(cast.organization, role))
    address = f"/api/v1/voices/{voice.pk}/"

    assert client.get(address).status_code == 200
    for answer in (
        client.patch(address, {"name": "x"}),
        client.delete(address),
        client.post("/api/v1/voices/", VOICE),
    ):
        assert answer.status_code == 403
        assert error_of(answer)["code"] == "forbidden"


def test_outsider_finds_nothing() -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization)
    client = api_client(cast.charlie)
    address = f"/api/v1/voices/{voice.pk}/"

    listed = client.get("/api/v1/voices/").json()["results"]
    answers = [
        client.get(address),
        client.patch(address, {"name": "x"}),
        client.put(address, VOICE),
        client.delete(address),
        client.post(f"{address}preview/", {"text": "x"}),
    ]

    assert str(voice.pk) not in [item["id"] for item in listed]
    assert [answer.status_code for answer in answers] == [404] * 5


def test_nobody_gets_in_without_signing_in() -> None:
    answer = api_client().get("/api/v1/voices/")

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("language", "text"), [("zh-CN", "大家好，欢迎来到直播间。"), ("en-US", "Hello, welcome.")]
)
def test_preview_is_a_spoken_wav(language: str, text: str) -> None:
    cast = make_cast()
    voice = Voice.objects.filter(organization=cast.organization, language=language).first()
    assert voice is not None

    answer = api_client(cast.bob).post(f"/api/v1/voices/{voice.pk}/preview/", {"text": text})

    assert answer.status_code == 200, answer.content[:300]
    assert answer["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        loudest = max(abs(value) for value in memoryview(sound.readframes(-1)).cast("h"))
    assert 0.8 < seconds < 6
    assert loudest > 3000


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("", 400, "invalid"),
        ("x" * 301, 400, "invalid"),
        ("……！！", 422, "voice_preview_refused"),
    ],
)
def test_preview_of_nothing_to_say_is_refused(text: str, status: int, code: str) -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization)

    answer = api_client(cast.alice).post(f"/api/v1/voices/{voice.pk}/preview/", {"text": text})

    assert answer.status_code == status
    assert error_of(answer)["code"] == code


def test_voice_of_a_show_stays() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    voice = VoiceFactory(organization=cast.organization)
    Show.objects.create(organization=cast.organization, title="News", avatar=avatar, voice=voice)

    answer = api_client(cast.alice).delete(f"/api/v1/voices/{voice.pk}/")

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "voice_in_use"
