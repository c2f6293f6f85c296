"""Somebody who owns two organizations: rows of one never come to point at rows of the other."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from streams.models import Cue, Show
from tests.permissions.world import World
from tests.streams.pictures import make_picture
from tests.streams.test_admin import show_form
from voices.models import Voice, VoiceFallback

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["owner of both", "superuser"])
def browser(request: pytest.FixtureRequest, owner_of_both: User) -> Client:
    if request.param == "superuser":
        User.objects.filter(pk=owner_of_both.pk).update(is_superuser=True)
    client = Client()
    client.force_login(owner_of_both)
    return client


def voice_form(voice: Voice, **fallback: Any) -> dict[str, str]:
    row = {"id": "", "voice": str(voice.pk), "position": "0", **fallback}
    return {
        "name": voice.name,
        "engine": voice.engine,
        "language": voice.language,
        "fallback_links-TOTAL_FORMS": "1",
        "fallback_links-INITIAL_FORMS": "0",
        "pronunciations-TOTAL_FORMS": "0",
        "pronunciations-INITIAL_FORMS": "0",
        **{f"fallback_links-0-{name}": str(value) for name, value in row.items()},
    }


def test_voice_falls_back_on_voices_of_its_organization_only(
    browser: Client, worlds: tuple[World, World]
) -> None:
    home, away = worlds
    page = reverse("admin:voices_voice_change", args=[home.voice.pk])
    rows = Voice.objects.filter(language=home.voice.language).exclude(pk=home.voice.pk)
    theirs = rows.filter(organization=away.cast.organization)[0]
    ours = rows.filter(organization=home.cast.organization)[0]

    refused = browser.post(page, voice_form(home.voice, fallback=theirs.pk))
    linked = VoiceFallback.objects.filter(voice=home.voice, fallback=theirs).exists()
    taken = browser.post(page, voice_form(home.voice, fallback=ours.pk))

    assert (refused.status_code, linked) == (200, False)
    assert taken.status_code == 302


@pytest.mark.parametrize("field", ["clip", "card_picture"])
def test_cue_plays_what_its_organization_has(
    browser: Client, worlds: tuple[World, World], field: str
) -> None:
    home, away = worlds
    show = Show.objects.get(pk=home.broadcast.show_id)
    page = reverse("admin:streams_show_change", args=[show.pk])
    values = {}
    for name, world in (("theirs", away), ("ours", home)):
        picture = make_picture(world.cast.organization, "card")
        row = {"clip": world.clip, "card_picture": picture}[field]
        kind = {"cues-0-kind": "clip", "cues-0-text": ""} if field == "clip" else {}
        card = {"cues-0-card_title": "Tea"} if field == "card_picture" else {}
        values[name] = show_form(show, **kind, **card, **{f"cues-0-{field}": str(row.pk)})

    refused = browser.post(page, values["theirs"])
    strange = Cue.objects.filter(show=show, **{f"{field}__isnull": False}).exists()
    taken = browser.post(page, values["ours"])

    assert (refused.status_code, strange) == (200, False)
    assert taken.status_code == 302, taken.context["errors"]
