"""Who is on air cannot be deleted, even when the show has been given another presenter since."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from streams.models import Broadcast
from streams.services.lifecycle import finish_broadcast
from streams.services.runner_spec import build_runner_spec
from tests.factories import AvatarFactory, Cast, VoiceFactory
from tests.streams.plans import Client, put_live

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def live(cast: Cast) -> Broadcast:
    """On air with a presenter and a voice that the show does not have any more."""
    broadcast = put_live(cast)
    show = broadcast.show
    show.avatar = AvatarFactory(organization=cast.organization)
    show.voice = VoiceFactory(organization=cast.organization)
    show.save()
    return broadcast


@pytest.mark.parametrize(
    ("kind", "code"), [("avatars", "avatar_in_use"), ("voices", "voice_in_use")]
)
def test_what_is_on_air_is_not_deleted(cast: Cast, live: Broadcast, kind: str, code: str) -> None:
    key = live.snapshot[kind.removesuffix("s")]
    alice = Client(cast.alice)

    refused = alice.delete(f"{kind}/{key}/")

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == code
    assert "直播" in refused.json()["error"]["message"]
    # The runner that dials again is told the same as before.
    spec = build_runner_spec(live, token="t")
    assert spec.avatar.id == live.snapshot["avatar"]
    assert spec.voices[0].id == live.snapshot["voice"]

    finish_broadcast(broadcast=live, state="ended", reason="")
    assert alice.delete(f"{kind}/{key}/").status_code == 204


@pytest.mark.parametrize("kind", ["avatar", "voice"])
def test_the_admin_does_not_delete_it_either(cast: Cast, live: Broadcast, kind: str) -> None:
    browser = Browser()
    browser.force_login(cast.alice)
    address = f"/admin/{kind}s/{kind}/{live.snapshot[kind]}/delete/"

    browser.post(address, {"post": "yes"})

    build_runner_spec(live, token="t")
