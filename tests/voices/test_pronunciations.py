"""The list of readings, through the API, the admin, and as a broadcast gets it."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry
from accounts.roles import Role
from tests.factories import VoiceFactory, add_member, api_client, error_of, make_cast
from voices import pronunciations
from voices.models import Pronunciation, Voice
from voices.selectors import engine_settings

pytestmark = [pytest.mark.django_db, pytest.mark.database]

WORDS = "/api/v1/pronunciations/"
WORD = {"language": "zh-CN", "text": "重庆", "reading": "chong2 qing4"}


def test_owner_adds_changes_and_removes_a_word() -> None:
    cast = make_cast()
    client = api_client(cast.alice)

    made = client.post(WORDS, WORD)
    address = f"{WORDS}{made.json()['id']}/"
    changed = client.patch(address, {"reading": "虫庆"})
    listed = client.get(WORDS).json()["results"]

    assert (made.status_code, made.json()["voice"]) == (201, None)
    assert changed.json()["reading"] == "虫庆"
    assert [row["text"] for row in listed] == ["重庆"]
    assert client.delete(address).status_code == 204
    assert client.get(WORDS).json()["results"] == []
    actions = AuditEntry.objects.filter(object_type="voices.pronunciation")
    assert sorted(actions.values_list("action", flat=True)) == [
        "voices.pronunciation.changed",
        "voices.pronunciation.created",
        "voices.pronunciation.deleted",
    ]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"reading": "chong2 qingg4"}, "reading", "pinyin_unknown"),
        ({"reading": "ni3 hao"}, "reading", "pinyin_malformed"),
        ({"reading": "<b>"}, "reading", "reading_malformed"),
        ({"text": "?!"}, "text", "word_unspeakable"),
        ({"text": "x" * 101}, "text", "max_length"),
        ({"language": "fr-FR"}, "language", "invalid_choice"),
        ({"voice": "00000000-0000-7000-8000-000000000000"}, "voice", "not_found"),
    ],
)
def test_wrong_words_are_refused_by_name(change: dict[str, Any], field: str, code: str) -> None:
    cast = make_cast()

    answer = api_client(cast.alice).post(WORDS, {**WORD, **change})

    assert answer.status_code == 400
    found = [(detail["field"], detail["code"]) for detail in error_of(answer)["details"]]
    assert found == [(field, code)]
    assert not Pronunciation.objects.exists()


def test_a_word_has_one_reading_for_all_and_one_for_each_voice() -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization, language="en-US")
    client = api_client(cast.alice)
    word = {"language": "en-US", "text": "nginx", "reading": "engine ex"}

    first = client.post(WORDS, word)
    again = client.post(WORDS, {**word, "text": "NGINX", "reading": "en jinx"})
    own = client.post(WORDS, {**word, "voice": str(voice.pk), "reading": "en jinx"})

    assert (first.status_code, again.status_code, own.status_code) == (201, 400, 201)
    assert error_of(again)["details"][0]["code"] == "unique"
    assert engine_settings(voice)["lexicon"] == [["nginx", "en jinx"]]


def test_a_voice_gets_the_words_of_its_language_and_organization() -> None:
    cast = make_cast()
    voice = VoiceFactory(organization=cast.organization, language="zh-CN", settings={})
    api_client(cast.alice).post(WORDS, WORD)
    api_client(cast.alice).post(WORDS, {"language": "en-US", "text": "a", "reading": "b"})
    api_client(cast.charlie).post(WORDS, {**WORD, "text": "北京"})

    assert engine_settings(voice)["lexicon"] == [["重庆", "chong2 qing4"]]
    assert voice.settings == {}


def test_a_voice_of_another_organization_or_language_is_refused() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    foreign = Voice.objects.exclude(organization=cast.organization).filter(language="zh-CN")
    english = VoiceFactory(organization=cast.organization, language="en-US")

    strange = client.post(WORDS, {**WORD, "voice": str(foreign[0].pk)})
    wrong = client.post(WORDS, {**WORD, "voice": str(english.pk)})

    assert error_of(strange)["details"][0]["code"] == "not_found"
    assert error_of(wrong)["details"][0]["code"] == "other_language"


def test_the_list_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()
    monkeypatch.setattr(pronunciations, "PRONUNCIATIONS_MAXIMUM", 1)
    client = api_client(cast.alice)

    client.post(WORDS, WORD)
    full = client.post(WORDS, {**WORD, "text": "北京"})

    assert error_of(full)["details"][0]["code"] == "too_many"


def test_operators_hear_and_do_not_change_the_list() -> None:
    cast = make_cast()
    operator = api_client(add_member(cast.organization, Role.OPERATOR, "olga"))

    assert operator.get(WORDS).status_code == 200
    assert operator.post(WORDS, WORD).status_code == 403


def test_preview_says_the_word_as_the_list_says() -> None:
    cast = make_cast()
    voice = Voice.objects.filter(organization=cast.organization, language="zh-CN").first()
    assert voice is not None
    client = api_client(cast.alice)
    address = f"/api/v1/voices/{voice.pk}/preview/"

    before = client.post(address, {"text": "长龙开播了"}).content
    client.post(WORDS, {**WORD, "text": "长龙", "reading": "zhang3 long2 wang2"})
    after = client.post(address, {"text": "长龙开播了"}).content

    assert seconds_of(after) > seconds_of(before) + 0.1


def test_admin_says_in_chinese_what_is_wrong_and_plays_the_voice() -> None:
    cast = make_cast()
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(cast.alice)
    voice = Voice.objects.filter(organization=cast.organization, engine="espeak").first()
    assert voice is not None
    form = {"organization": str(cast.organization.pk), **WORD}

    refused = client.post("/admin/voices/pronunciation/add/", {**form, "reading": "chong2 qing"})
    added = client.post("/admin/voices/pronunciation/add/", form)
    page = client.get(f"/admin/voices/voice/{voice.pk}/change/").content.decode()
    heard = client.post(f"/admin/voices/voice/{voice.pk}/audition/", {"text": "你好"})
    empty = client.post(f"/admin/voices/voice/{voice.pk}/audition/", {"text": " "})

    assert "每个音节都要写上 1 到 5 的声调" in refused.content.decode()
    assert added.status_code == 302
    assert "内置音色只是基础音色" in page
    assert heard["Content-Type"] == "audio/wav"
    assert seconds_of(heard.content) > 0.3
    assert (empty.status_code, empty.json()["message"]) == (400, "请填写 1 到 300 个字符的文字。")


def test_outsider_cannot_play_a_voice_in_the_admin() -> None:
    cast = make_cast()
    client = Client()
    client.force_login(cast.charlie)
    voice = Voice.objects.filter(organization=cast.organization).first()
    assert voice is not None

    answer = client.post(f"/admin/voices/voice/{voice.pk}/audition/", {"text": "你好"})

    assert answer.status_code == 404


def seconds_of(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as sound:
        return sound.getnframes() / sound.getframerate()
