"""Two people change one voice at the same moment: neither takes back what the other has done."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from livestudio.common import vault
from livestudio.common.errors import InvalidInputError, NotFoundError
from tests.factories import Cast, make_cast
from voices.models import Voice
from voices.services import create_voice, delete_voice, update_voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]
SERVER = {"base_url": "http://127.0.0.1:9/v1", "model": "tts-1", "voice": "alloy"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def read(cast: Cast) -> Voice:
    """A voice with a key, as a request has read it."""
    values = {
        "name": "Vendor", "engine": "openai_speech", "language": "zh-CN", "settings": SERVER,
        "api_key": "old-key-0001",
    }  # fmt: skip
    return create_voice(organization=cast.organization, values=values, actor=cast.alice)


def test_change_of_a_voice_does_not_bring_its_old_key_back(cast: Cast, read: Voice) -> None:
    update_voice(
        voice=Voice.objects.get(pk=read.pk), values={"api_key": "new-key-0002"}, actor=cast.alice
    )

    update_voice(voice=read, values={"name": "Renamed"}, actor=cast.alice)

    kept = Voice.objects.get(pk=read.pk)
    assert kept.name == "Renamed"
    assert vault.open_from(kept, "sealed_api_key") == "new-key-0002"


def test_name_of_a_server_is_looked_up_while_nobody_waits_for_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []

    def look_up(url: str, **_: Any) -> None:
        depths.append(len(connection.savepoint_ids))

    monkeypatch.setattr("voices.validators.check_destination", look_up)
    outside = len(connection.savepoint_ids)
    values = {"name": "Far", "engine": "openai_speech", "language": "zh-CN", "settings": SERVER}

    voice = create_voice(organization=cast.organization, values=values, actor=cast.alice)
    update_voice(
        voice=voice, values={"settings": {**SERVER, "base_url": "http://a.example"}},
        actor=cast.alice,
    )  # fmt: skip

    assert depths == [outside, outside]


def test_engine_and_settings_of_two_changes_at_once_fit_each_other(cast: Cast, read: Voice) -> None:
    update_voice(
        voice=Voice.objects.get(pk=read.pk), actor=cast.alice,
        values={"engine": "espeak", "settings": {"gender": "male"}},
    )  # fmt: skip

    with pytest.raises(InvalidInputError):
        update_voice(voice=read, values={"settings": SERVER}, actor=cast.alice)

    assert Voice.objects.get(pk=read.pk).settings == {"gender": "male"}


def test_change_of_a_voice_does_not_make_a_deleted_one_anew(cast: Cast, read: Voice) -> None:
    delete_voice(voice=Voice.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        update_voice(voice=read, values={"name": "Renamed"}, actor=cast.alice)

    assert not Voice.objects.filter(pk=read.pk).exists()
