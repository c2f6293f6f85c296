"""`Idempotency-Key` on POST, through the voices API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import IdempotencyRecord, Organization, User
from accounts.roles import SYSTEM, Role
from accounts.services import members
from streams.models import Picture
from tests.factories import api_client, error_of, make_cast
from tests.streams.pictures import image_bytes
from voices import services
from voices.models import Voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VOICE = {"name": "Morning", "engine": "espeak", "language": "en-US"}
AVATAR = {"name": "Host", "engine": "puppet", "settings": {"character": "lin"}}
RED, BLUE = (200, 0, 0, 255), (0, 0, 200, 255)


def add_existing_member(organization: Organization, user: User) -> None:
    members.set_role(organization=organization, user=user, role=Role.OWNER, actor=SYSTEM)


def post(user: Any, key: str, body: dict[str, Any] = VOICE) -> Any:
    return api_client(user).post("/api/v1/voices/", body, headers={"Idempotency-Key": key})


def test_second_post_with_a_key_gets_the_first_answer_and_makes_nothing() -> None:
    cast = make_cast()

    first = post(cast.alice, "key-1")
    second = post(cast.alice, "key-1")

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Voice.objects.filter(name="Morning").count() == 1


def test_refusals_are_repeated_too() -> None:
    cast = make_cast()
    wrong = {**VOICE, "engine": "nothing"}

    first, second = post(cast.alice, "key-1", wrong), post(cast.alice, "key-1", wrong)

    assert first.status_code == second.status_code == 400
    assert second["Idempotency-Replayed"] == "true"


def test_key_of_a_different_request_is_refused() -> None:
    cast = make_cast()
    post(cast.alice, "key-1")

    answer = post(cast.alice, "key-1", {**VOICE, "name": "Evening"})

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "idempotency_key_reused"


def test_keys_of_two_users_do_not_meet() -> None:
    cast = make_cast()

    assert post(cast.alice, "key-1").status_code == 201
    assert post(cast.charlie, "key-1").status_code == 201


def test_request_without_permission_keeps_no_answer_of_others() -> None:
    cast = make_cast()
    post(cast.alice, "key-1")

    assert post(cast.bob, "key-1").status_code == 403


def test_request_in_progress_is_a_conflict_until_its_process_must_be_dead() -> None:
    cast = make_cast()
    post(cast.alice, "key-1")
    IdempotencyRecord.objects.update(status=None, body=None)
    Voice.objects.filter(name="Morning").delete()

    meanwhile = post(cast.alice, "key-1")
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        later = post(cast.alice, "key-1")

    assert meanwhile.status_code == 409
    assert error_of(meanwhile)["code"] == "idempotency_in_progress"
    assert meanwhile["Retry-After"] == "1"
    assert later.status_code == 201


def test_same_key_at_another_address_or_organization_is_another_key() -> None:
    cast = make_cast()
    add_existing_member(cast.elsewhere, cast.alice)
    in_one = {"X-Organization": str(cast.organization.pk)}
    in_other = {"X-Organization": str(cast.elsewhere.pk)}
    client = api_client(cast.alice)

    answers = [
        client.post(path, body, headers={"Idempotency-Key": "key-1", **where})
        for path, body, where in (
            ("/api/v1/voices/", VOICE, in_one),
            ("/api/v1/voices/", VOICE, in_other),
            ("/api/v1/avatars/", AVATAR, in_one),
        )
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 3


def test_order_of_the_fields_does_not_make_another_body() -> None:
    cast = make_cast()

    first = post(cast.alice, "key-1")
    second = post(cast.alice, "key-1", dict(reversed(VOICE.items())))

    assert second.json() == first.json()


def test_key_of_an_upload_counts_what_is_in_the_file() -> None:
    cast = make_cast()
    client = api_client(cast.alice)

    def upload(colour: tuple[int, ...]) -> Any:
        file = SimpleUploadedFile("tea.png", image_bytes(colour=colour))
        return client.post(
            "/api/v1/pictures/",
            {"kind": "card", "file": file},
            format="multipart",
            headers={"Idempotency-Key": "key-1"},
        )

    first, second, other = upload(RED), upload(RED), upload(BLUE)

    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert other.status_code == 422
    assert Picture.objects.count() == 1


def test_failure_of_the_server_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()

    def break_down(**values: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("voices.services.create_voice", break_down)
        first = post(cast.alice, "key-1")
    second = post(cast.alice, "key-1")

    assert (first.status_code, second.status_code) == (500, 201)
    assert "Idempotency-Replayed" not in second


def test_key_is_forgotten_after_a_day() -> None:
    cast = make_cast()
    first = post(cast.alice, "key-1")

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        second = post(cast.alice, "key-1", {**VOICE, "name": "Evening"})

    assert (first.status_code, second.status_code) == (201, 201)


def test_second_request_that_comes_while_the_first_is_answered_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cast = make_cast()
    create, meanwhile = services.create_voice, []

    def create_slowly(**values: Any) -> Voice:
        meanwhile.append(post(cast.alice, "key-1"))
        return create(**values)

    monkeypatch.setattr("voices.services.create_voice", create_slowly)
    first = post(cast.alice, "key-1")

    assert first.status_code == 201
    [second] = meanwhile
    assert error_of(second)["code"] == "idempotency_in_progress"
    assert Voice.objects.filter(organization=cast.organization, name="Morning").count() == 1


@pytest.mark.parametrize("key", ["x" * 129, "tab\tkey"])
def test_key_of_a_wrong_form_is_refused(key: str) -> None:
    cast = make_cast()

    answer = post(cast.alice, key)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "Idempotency-Key"
