"""`Idempotency-Key` on POST, through the voices API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import IdempotencyRecord
from tests.factories import api_client, error_of, make_cast
from voices.models import Voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VOICE = {"name": "Morning", "engine": "espeak", "language": "en-US"}


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


@pytest.mark.parametrize("key", ["x" * 129, "tab\tkey"])
def test_key_of_a_wrong_form_is_refused(key: str) -> None:
    cast = make_cast()

    answer = post(cast.alice, key)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "Idempotency-Key"
