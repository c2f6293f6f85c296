"""A server that is down is answered with 503 and when to try again, and steering goes on."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from livestudio.common.api import handle_exception
from tests.factories import PASSWORD, Cast, api_client, error_of, make_cast
from tests.services import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def no_redis(settings: Any) -> None:
    """The cache of production mode, with nobody at its address."""
    settings.CACHES = {
        "default": {
            "BACKEND": "livestudio.common.cache.SharedRedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        }
    }


@pytest.mark.usefixtures("no_redis")
def test_signed_in_users_go_on_without_redis(cast: Cast) -> None:
    assert api_client(cast.alice).get("/api/v1/shows/").status_code == 200


@pytest.mark.usefixtures("no_redis")
def test_passwords_are_not_tried_without_redis(cast: Cast) -> None:
    body = {"username": "alice", "password": PASSWORD}

    answer = api_client().post("/api/v1/auth/token/", body)

    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert error_of(answer)["code"] == "unavailable"


def test_database_that_is_down_is_no_failure_of_ours() -> None:
    answer = handle_exception(OperationalError(2013, "Lost connection, password=x"), {})

    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert "password" not in str(answer.data)
