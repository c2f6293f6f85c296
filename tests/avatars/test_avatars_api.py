"""Avatars, their clips and their picture through the API."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as site
from django.utils import timezone

from accounts.roles import Role
from avatars.models import Avatar, AvatarClip
from inference.catalog import PRESENTERS, Presenter
from streams.models import Cue, Show
from tests.factories import AvatarFactory, VoiceFactory, add_member, api_client, error_of, make_cast
from tests.streams.plans import make_show

pytestmark = [pytest.mark.django_db, pytest.mark.database]

AVATAR = {"name": "Anchor", "engine": "puppet", "settings": {"character": "lin"}}
CLIP = {"name": "Bow", "engine_name": "bow", "duration_ms": 1500}


@pytest.fixture(autouse=True)
def _no_pictures_left() -> Any:
    yield
    shutil.rmtree(site.MEDIA_ROOT, ignore_errors=True)


def test_owner_makes_changes_and_deletes_an_avatar() -> None:
    cast = make_cast()
    client = api_client(cast.alice)

    made = client.post("/api/v1/avatars/", {**AVATAR, "licences": ["CC0"]})
    address = f"/api/v1/avatars/{made.json()['id']}/"
    changed = client.patch(address, {"name": "Host"})

    assert made.status_code == 201
    assert made.json()["state"] == "ready"
    assert made.json()["progress"] == 100
    assert made.json()["licences"] == ["CC0"]
    assert changed.json()["name"] == "Host"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_name_is_taken_once_per_organization() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    client.post("/api/v1/avatars/", AVATAR)

    answer = client.post("/api/v1/avatars/", AVATAR)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["code"] == "unique"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "   "}, "name"),
        ({"engine": "nothing"}, "engine"),
        ({"engine": "espeak"}, "engine"),
        ({"settings": {"character": "nobody"}}, "settings.character"),
        ({"settings": {"outfit": "suit"}}, "settings.outfit"),
        ({"settings": {"character": "chen", "outfit": "knit"}}, "settings.outfit"),
        ({"settings": {"character": "chen", "outfit": 3}}, "settings.outfit"),
        ({"settings": {"photo": "/etc/passwd"}}, "settings.photo"),
        ({"licences": "CC0"}, "licences"),
    ],
)
def test_wrong_values_are_refused_by_name(change: dict[str, Any], field: str) -> None:
    cast = make_cast()

    answer = api_client(cast.alice).post("/api/v1/avatars/", {**AVATAR, **change})

    assert answer.status_code == 400
    assert field in [detail["field"] for detail in error_of(answer)["details"]]


@pytest.mark.parametrize("presenter", PRESENTERS, ids=lambda item: item.character)
def test_new_organization_owns_each_presenter_who_may_change_clothes(presenter: Presenter) -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    listed = client.get("/api/v1/avatars/").json()["results"]
    (own,) = [item for item in listed if item["name"] == presenter.label]
    outfit = presenter.outfits[1].name

    settings = {"character": presenter.character, "outfit": outfit}
    changed = client.patch(f"/api/v1/avatars/{own['id']}/", {"settings": settings})

    assert own["settings"]["character"] == presenter.character
    assert own["voice_gender"] == presenter.gender
    assert changed.status_code == 200
    assert changed.json()["settings"]["outfit"] == outfit


def test_test_engine_is_refused_unless_switched_on(settings: Any) -> None:
    cast = make_cast()
    settings.TEST_ENGINES = False

    answer = api_client(cast.alice).post("/api/v1/avatars/", {"name": "T", "engine": "testcard"})

    assert error_of(answer)["details"][0]["code"] == "test_only"


def test_clips_belong_to_their_avatar() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    other = AvatarFactory(organization=cast.organization)
    client = api_client(cast.alice)
    address = f"/api/v1/avatars/{avatar.pk}/clips/"

    made = client.post(address, CLIP)
    again = client.post(address, CLIP)
    listed = client.get(address).json()["results"]
    through_other = client.get(f"/api/v1/avatars/{other.pk}/clips/{made.json()['id']}/")

    assert made.status_code == 201
    assert again.status_code == 400
    assert [clip["name"] for clip in listed] == ["Bow"]
    assert through_other.status_code == 404
    assert client.delete(f"{address}{made.json()['id']}/").status_code == 204


def test_clip_that_a_cue_plays_stays_until_its_show_is_put_away() -> None:
    cast = make_cast()
    show = make_show(cast.organization, cast.alice)
    clip = AvatarClip.objects.create(avatar=show.avatar, name="Bow", engine_name="bow")
    Cue.objects.create(show=show, kind="clip", clip=clip)
    client = api_client(cast.alice)
    address = f"/api/v1/avatars/{show.avatar.pk}/clips/{clip.pk}/"

    refused = client.delete(address)
    kept = AvatarClip.objects.filter(pk=clip.pk).exists()
    put_away = client.delete(f"/api/v1/shows/{show.pk}/")

    assert (refused.status_code, error_of(refused)["code"]) == (409, "avatar_in_use")
    assert kept
    assert put_away.status_code == 204
    assert client.delete(address).status_code == 204


def test_operator_sees_and_does_not_change() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    client = api_client(add_member(cast.organization, Role.OPERATOR))
    address = f"/api/v1/avatars/{avatar.pk}/"

    assert client.get(address).status_code == 200
    answers = [
        client.patch(address, {"name": "x"}),
        client.delete(address),
        client.post("/api/v1/avatars/", AVATAR),
        client.post(f"{address}clips/", CLIP),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4


def test_outsider_finds_nothing() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    client = api_client(cast.charlie)
    address = f"/api/v1/avatars/{avatar.pk}/"

    listed = client.get("/api/v1/avatars/").json()["results"]
    answers = [
        client.get(address),
        client.patch(address, {"name": "x"}),
        client.put(address, AVATAR),
        client.delete(address),
        client.get(f"{address}clips/"),
        client.post(f"{address}clips/", CLIP),
        client.get(f"{address}preview/"),
    ]

    assert str(avatar.pk) not in [item["id"] for item in listed]
    assert [answer.status_code for answer in answers] == [404] * 7


def test_picture_is_drawn_once_and_needs_its_signature() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization, engine="testcard", settings={})
    url = api_client(cast.alice).get(f"/api/v1/avatars/{avatar.pk}/").json()["preview_url"]

    picture = api_client().get(url)
    again = api_client().get(url)
    unsigned = api_client().get(url.partition("?")[0])
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        expired = api_client().get(url)

    assert picture.status_code == 200, picture.content[:300]
    assert picture["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert again.content == picture.content
    assert unsigned.status_code == expired.status_code == 404
    name = Avatar.objects.get(pk=avatar.pk).preview.name
    assert (site.MEDIA_ROOT / name).read_bytes() == picture.content


def test_picture_goes_with_the_settings_it_shows() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization, engine="testcard", settings={})
    client = api_client(cast.alice)
    client.get(client.get(f"/api/v1/avatars/{avatar.pk}/").json()["preview_url"])
    drawn = site.MEDIA_ROOT / Avatar.objects.get(pk=avatar.pk).preview.name

    client.patch(f"/api/v1/avatars/{avatar.pk}/", AVATAR)

    assert not drawn.exists()
    assert not Avatar.objects.get(pk=avatar.pk).preview


def test_avatar_of_a_show_stays() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    voice = VoiceFactory(organization=cast.organization)
    Show.objects.create(organization=cast.organization, title="News", avatar=avatar, voice=voice)

    answer = api_client(cast.alice).delete(f"/api/v1/avatars/{avatar.pk}/")

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "avatar_in_use"
