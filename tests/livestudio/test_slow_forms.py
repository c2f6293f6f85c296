"""What asks name servers or looks into files does so before the form has a transaction, and once.

On SQLite everybody else waits for a transaction of the admin, the runners of live shows too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from accounts.models import User
from avatars import uploads
from avatars.models import AvatarBuild
from inference.tool_client import ToolError
from livestudio.common import egress
from livestudio.common.errors import EgressRefusedError
from livestudio.common.once import looking_once, once
from streams.models import Output, Picture
from streams.services import pictures
from tests.factories import Cast, make_cast
from tests.streams.pictures import png_bytes
from voices.models import Voice
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db(transaction=True)

Looks = list[bool]


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Of each slow look, whether a transaction was open."""
    found: Looks = []

    def noting(work: Callable[..., Any]) -> Callable[..., Any]:
        def look(*args: Any, **options: Any) -> Any:
            found.append(connection.in_atomic_block)
            return work(*args, **options)

        return look

    monkeypatch.setattr(egress, "check_url", noting(egress.check_url))
    monkeypatch.setattr(pictures, "run_tool", noting(pictures.run_tool))
    monkeypatch.setattr(uploads, "run_tool", noting(lambda *_, **__: b""))
    return found


def post(user: User, address: str, **values: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(f"/admin/{address}", values)


def test_address_of_an_output_is_looked_up_before_the_transaction(cast: Cast, looks: Looks) -> None:
    values = {"organization": cast.organization.pk, "name": "Shop", "kind": "rtmp"}

    made = post(
        cast.alice, "streams/output/add/", **values, url="rtmp://127.0.0.1/live", stream_key="key-1"
    )
    output = Output.objects.get(name="Shop")
    moved = post(
        cast.alice, f"streams/output/{output.pk}/change/",
        **values, url="rtmp://127.0.0.2/live", stream_key="key-2",
    )  # fmt: skip

    assert (made.status_code, moved.status_code, looks) == (302, 302, [False, False])


def test_address_of_a_webhook_is_looked_up_before_the_transaction(cast: Cast, looks: Looks) -> None:
    values = {"organization": cast.organization.pk, "is_active": "on"}

    answer = post(cast.alice, "webhooks/webhook/add/", **values, url="http://127.0.0.1:9/hook")

    assert (answer.status_code, looks) == (302, [False])
    assert Webhook.objects.count() == 1


def test_refused_address_is_looked_up_once_too(cast: Cast, looks: Looks, settings: Any) -> None:
    settings.EGRESS_ALLOW = ()
    values = {"organization": cast.organization.pk, "name": "Shop", "kind": "rtmp"}

    answer = post(cast.alice, "streams/output/add/", **values, url="rtmp://10.0.0.7/live")

    assert (answer.status_code, looks) == (200, [False])
    assert "10.0.0.7" in answer.content.decode()


def test_picture_is_read_before_the_transaction(cast: Cast, looks: Looks) -> None:
    before = Picture.objects.count()

    answer = post(
        cast.alice, "streams/picture/add/", organization=cast.organization.pk, kind="card",
        upload=SimpleUploadedFile("coat.png", png_bytes()),
    )  # fmt: skip

    assert (answer.status_code, looks) == (302, [False])
    assert Picture.objects.count() == before + 1


def test_film_is_looked_into_before_the_transaction(cast: Cast, looks: Looks) -> None:
    film = SimpleUploadedFile("me.mp4", b"a film")

    answer = post(cast.alice, "avatars/avatar/add/", **film_form(cast, film))

    assert (answer.status_code, looks) == (302, [False])
    assert AvatarBuild.objects.count() == 1


def test_film_that_is_refused_is_looked_into_once(
    cast: Cast, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        looks.append(connection.in_atomic_block)
        raise ToolError("no_face", "There is no face in this picture.", retryable=False)

    monkeypatch.setattr(uploads, "run_tool", refuse)
    film = SimpleUploadedFile("me.mp4", b"a film")

    answer = post(cast.alice, "avatars/avatar/add/", **film_form(cast, film))

    assert (answer.status_code, looks) == (200, [False])
    assert not AvatarBuild.objects.exists()


def test_nothing_is_looked_at_for_those_who_may_not_write(cast: Cast, looks: Looks) -> None:
    values = {"organization": cast.organization.pk, "name": "Shop", "kind": "rtmp"}

    answer = post(cast.bob, "streams/output/add/", **values, url="rtmp://127.0.0.1/live")

    assert (answer.status_code, looks) == (403, [])
    assert Voice.objects.exists()


def test_what_was_refused_once_is_refused_again() -> None:
    def refuse() -> None:
        asked.append(1)
        raise EgressRefusedError("no")

    asked: list[int] = []
    with looking_once():
        for _ in range(2):
            with pytest.raises(EgressRefusedError):
                once("a", refuse)
    with pytest.raises(EgressRefusedError):
        once("a", refuse)

    assert asked == [1, 1]


def film_form(cast: Cast, film: SimpleUploadedFile) -> dict[str, Any]:
    return {
        "organization": str(cast.organization.pk),
        "name": "Mei",
        "engine": "musetalk_tiny",
        "licences": "",
        "film": film,
        "landmarks": SimpleUploadedFile("points.json", b"{}"),
        "clips-TOTAL_FORMS": "0",
        "clips-INITIAL_FORMS": "0",
        "builds-TOTAL_FORMS": "0",
        "builds-INITIAL_FORMS": "0",
    }
