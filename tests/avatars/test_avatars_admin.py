"""Presenters in the admin: chosen from a list, set without JSON, and how they were made."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from avatars.models import Avatar, AvatarBuild
from tests.factories import add_member, make_cast

pytestmark = pytest.mark.django_db

ADD = "/admin/avatars/avatar/add/"


def _admin_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _form(cast: Any, **changes: str) -> dict[str, str]:
    return {
        "organization": str(cast.organization.pk),
        "name": "Anchor",
        "engine": "puppet",
        "settings": "{}",
        "licences": "",
        "clips-TOTAL_FORMS": "0",
        "clips-INITIAL_FORMS": "0",
        "builds-TOTAL_FORMS": "0",
        "builds-INITIAL_FORMS": "0",
        **changes,
    }


def test_presenter_and_outfit_are_chosen_from_a_list() -> None:
    cast = make_cast()
    client = _admin_of(cast.alice)

    made = client.post(ADD, _form(cast, presenter="chen/cardigan"))
    avatar = Avatar.objects.get(organization=cast.organization, name="Anchor")
    address = f"/admin/avatars/avatar/{avatar.pk}/change/"
    page = client.get(address).content.decode()
    Avatar.objects.filter(pk=avatar.pk).update(settings={"character": "lin"})
    shown = re.search(r'<option value="(lin/\w+)" selected>', client.get(address).content.decode())
    assert shown is not None
    client.post(address, _form(cast, presenter=shown.group(1)))

    assert made.status_code == 302
    assert avatar.settings == {"character": "chen", "outfit": "cardigan"}
    assert '<option value="chen/cardigan" selected>' in page
    # Settings that came over the API are not overruled by a list that was left alone.
    assert Avatar.objects.get(pk=avatar.pk).settings == {"character": "lin"}


def test_who_may_only_look_sees_the_page() -> None:
    cast = make_cast()
    client = _admin_of(add_member(cast.organization, Role.OPERATOR))
    avatar = Avatar.objects.filter(organization=cast.organization).first()
    assert avatar is not None

    page = client.get(f"/admin/avatars/avatar/{avatar.pk}/change/")

    assert page.status_code == 200
    assert avatar.name in page.content.decode()


def test_settings_and_licences_need_no_json() -> None:
    cast = make_cast()
    client = _admin_of(cast.alice)
    avatar = Avatar.objects.create(organization=cast.organization, name="Mei", engine="musetalk")
    address = f"/admin/avatars/avatar/{avatar.pk}/change/"
    given = {"name": "Mei", "engine": "musetalk", "musetalk__device": "cpu"}

    taken = client.post(address, _form(cast, **given, licences="CC0\n\n 本人拍摄 \n"))
    page = client.get(address).content.decode()
    wrong = client.post(address, _form(cast, **given, musetalk__version="v9", licences="x" * 201))

    avatar.refresh_from_db()
    assert taken.status_code == 302
    assert (avatar.settings, avatar.licences) == ({"device": "cpu"}, ["CC0", "本人拍摄"])
    assert 'name="settings"' not in page
    assert re.search(r'name="licences"[^>]*>\s*CC0\n本人拍摄<', page)
    assert wrong.status_code == 200
    assert set(wrong.context["adminform"].form.errors) == {"musetalk__version", "licences"}
    assert "x" * 201 in wrong.content.decode()


def test_times_of_the_build_log_are_those_of_the_page() -> None:
    cast = make_cast()
    cast.organization.time_zone = "Asia/Shanghai"
    cast.organization.save()
    avatar = Avatar.objects.create(organization=cast.organization, name="Mei", engine="musetalk")
    entry = {"at": "2026-11-22T05:51:02.369626+00:00", "stage": "frames", "message": ""}
    AvatarBuild.objects.create(avatar=avatar, number=1, log=[entry])

    page = _admin_of(cast.alice).get(f"/admin/avatars/avatar/{avatar.pk}/change/").content.decode()

    assert "13:51:02" in page
    assert "05:51:02" not in page
