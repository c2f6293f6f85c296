"""Voices that ask a server: its address is guarded, its API key goes in and never comes out."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry
from livestudio.common import vault
from streams.models import Show
from streams.services.lifecycle import start_broadcast
from streams.services.runner_spec import build_runner_spec
from tests.factories import AvatarFactory, Cast, api_client, error_of, make_cast
from tests.inference.speech.openai_speech.server import KEY, Server, serve
from voices.models import Voice
from voices.selectors import engine_settings

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VOICES = "/api/v1/voices/"
VOICE = {
    "name": "Server",
    "engine": "openai_speech",
    "language": "en-US",
    "settings": {"base_url": "http://127.0.0.1:9/v1", "voice": "nova"},
    "api_key": KEY,
}


SETTINGS: dict[str, Any] = dict(VOICE["settings"])  # type: ignore[call-overload]


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW = ("loopback",)


def make_voice(cast: Cast, **changes: Any) -> Voice:
    made = api_client(cast.alice).post(VOICES, {**VOICE, **changes}, format="json")
    assert made.status_code == 201, made.content
    return Voice.objects.get(pk=made.json()["id"])


def test_key_is_sealed_and_never_shown() -> None:
    cast = make_cast()
    client = api_client(cast.alice)

    made = client.post(VOICES, VOICE, format="json")
    shown = client.get(f"{VOICES}{made.json()['id']}/")
    listed = client.get(VOICES)

    voice = Voice.objects.get(pk=made.json()["id"])
    assert made.json()["has_api_key"] is True
    assert all(KEY not in answer.content.decode() for answer in (made, shown, listed))
    assert KEY not in voice.sealed_api_key + json.dumps(voice.settings)
    assert vault.open_from(voice, "sealed_api_key") == KEY
    assert KEY not in json.dumps(list(AuditEntry.objects.values_list("data", flat=True)))


def test_key_stays_when_it_is_not_given_and_goes_when_it_is_emptied() -> None:
    cast = make_cast()
    address = f"{VOICES}{make_voice(cast).pk}/"
    client = api_client(cast.alice)

    kept = client.patch(address, {"name": "Other"}, format="json").json()
    replaced = client.patch(address, {"api_key": "new-key"}, format="json").json()
    voice = Voice.objects.get(name="Other")
    key = vault.open_from(voice, "sealed_api_key")
    emptied = client.patch(address, {"api_key": ""}, format="json").json()

    assert (kept["has_api_key"], replaced["has_api_key"], key) == (True, True, "new-key")
    assert emptied["has_api_key"] is False


def test_key_does_not_follow_to_another_server() -> None:
    cast = make_cast()
    voice = make_voice(cast)
    client = api_client(cast.alice)
    moved = {"settings": {"base_url": "http://127.0.0.1:10/v1"}}

    refused = client.patch(f"{VOICES}{voice.pk}/", moved, format="json")
    again = client.patch(f"{VOICES}{voice.pk}/", {**moved, "api_key": "other"}, format="json")
    local = client.patch(
        f"{VOICES}{voice.pk}/", {"engine": "espeak", "settings": {}}, format="json"
    )

    assert refused.status_code == 400
    assert error_of(refused)["details"][0]["field"] == "api_key"
    assert again.json()["has_api_key"] is True
    assert local.json()["has_api_key"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"settings": {}}, "settings.base_url"),
        ({"settings": {"base_url": "ftp://example.com"}}, "settings.base_url"),
        ({"settings": {"base_url": "http://10.0.0.1/v1"}}, "settings.base_url"),
        ({"settings": {"base_url": "http://169.254.169.254/"}}, "settings.base_url"),
        ({"settings": {**SETTINGS, "api_key": "x"}}, "settings.api_key"),
        ({"settings": {**SETTINGS, "egress_allow": ["private"]}}, "settings.egress_allow"),
        (
            {"settings": {**SETTINGS, "response_format": "opus"}},
            "settings.response_format",
        ),
        ({"settings": {**SETTINGS, "voice": ""}}, "settings.voice"),
        ({"settings": {**SETTINGS, "speed": 9}}, "settings.speed"),
        ({"api_key": "two words"}, "api_key"),
        ({"api_key": "x" * 401}, "api_key"),
        ({"engine": "espeak", "settings": {}}, "api_key"),
        ({"engine": "edge", "settings": {"voice": "Emma"}, "api_key": ""}, "settings.voice"),
        ({"engine": "edge", "settings": {"volume": 80}, "api_key": ""}, "settings.volume"),
    ],
)
def test_wrong_values_are_refused_by_name(change: dict[str, Any], field: str) -> None:
    cast = make_cast()

    answer = api_client(cast.alice).post(VOICES, {**VOICE, **change}, format="json")

    assert answer.status_code in (400, 422)
    assert field in [detail["field"] for detail in error_of(answer)["details"]]
    assert KEY not in answer.content.decode()
    assert not Voice.objects.filter(name="Server").exists()


def test_edge_voice_needs_no_settings() -> None:
    voice = make_voice(make_cast(), engine="edge", settings={}, api_key="")

    assert engine_settings(voice) == {}


def test_the_runner_gets_the_opened_key_and_what_the_site_allows() -> None:
    cast = make_cast()
    voice = make_voice(cast)
    avatar = AvatarFactory(organization=cast.organization)
    show = Show.objects.create(
        organization=cast.organization, title="News", avatar=avatar, voice=voice
    )
    show.cues.create(position=1, kind="speech", text="Hello.")
    broadcast = start_broadcast(show=show, actor=cast.alice)

    spec = build_runner_spec(broadcast, token="t")

    assert spec.voices[0].settings["api_key"] == KEY
    assert spec.voices[0].settings["egress_allow"] == ["loopback"]
    assert KEY not in json.dumps(broadcast.snapshot)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Server()) as running:
        yield running


def test_preview_asks_the_server_with_the_key(server: Server) -> None:
    cast = make_cast()
    voice = make_voice(cast, settings={"base_url": server.base_url})

    answer = api_client(cast.bob).post(f"{VOICES}{voice.pk}/preview/", {"text": "Hello there."})

    assert answer.status_code == 200, answer.content[:300]
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert 0.5 < sound.getnframes() / sound.getframerate() < 3
    assert server.keys == [f"Bearer {KEY}"]


def test_preview_says_why_the_server_refuses(server: Server) -> None:
    server.behaviour = "401"
    cast = make_cast()
    voice = make_voice(cast, settings={"base_url": server.base_url})

    answer = api_client(cast.bob).post(
        f"{VOICES}{voice.pk}/preview/",
        {"text": "Hello there."},
        headers={"Accept-Language": "en"},
    )

    assert answer.status_code == 503
    assert "refuses the API key" in error_of(answer)["message"]
    assert KEY not in answer.content.decode()


def test_admin_takes_the_key_and_shows_none(admin_user: Any) -> None:
    cast = make_cast()
    client = Client(headers={"accept-language": "en"})
    client.force_login(admin_user)
    form = {
        "organization": str(cast.organization.pk),
        "name": "Server",
        "engine": "openai_speech",
        "language": "en-US",
        **{f"openai_speech__{name}": value for name, value in SETTINGS.items()},
        "api_key": KEY,
        "fallback_links-TOTAL_FORMS": "0",
        "fallback_links-INITIAL_FORMS": "0",
        "pronunciations-TOTAL_FORMS": "0",
        "pronunciations-INITIAL_FORMS": "0",
    }

    added = client.post("/admin/voices/voice/add/", form)
    voice = Voice.objects.get(name="Server")
    address = f"/admin/voices/voice/{voice.pk}/change/"
    page = client.get(address).content.decode()
    form["api_key"] = ""
    renamed = client.post(address, {**form, "name": "Renamed"})
    moved = {**form, "openai_speech__base_url": "http://127.0.0.1:10/v1"}
    refused = client.post(address, moved)

    assert (added.status_code, renamed.status_code, refused.status_code) == (302, 302, 200)
    assert KEY not in page
    assert "API key again" in refused.content.decode()
    voice.refresh_from_db()
    assert voice.name == "Renamed"
    assert vault.open_from(voice, "sealed_api_key") == KEY
