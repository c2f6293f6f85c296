"""Every refusal under /api/ has the one form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from rest_framework import exceptions

from livestudio.common.api import flatten_details, handle_exception
from livestudio.common.errors import (
    ConflictError,
    DomainError,
    ErrorDetail,
    UnavailableError,
    error_codes,
)
from tests.factories import api_client, error_of, make_cast

pytestmark = pytest.mark.django_db
JSON = "application/json"
DEEP = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status", "code"),
    [
        ("get", "/api/", {}, 404, "not_found"),
        ("get", "/api/v1/nothing/", {}, 404, "not_found"),
        ("get", "/api/v2/voices/", {}, 404, "not_found"),
        ("delete", "/api/v1/voices/", {}, 405, "method_not_allowed"),
        (
            "post",
            "/api/v1/voices/",
            {"data": "<x/>", "content_type": "text/xml"},
            415,
            "unsupported_media_type",
        ),
        (
            "post",
            "/api/v1/voices/",
            {"data": "{nope", "content_type": "application/json"},
            400,
            "parse_error",
        ),
        (
            "post",
            "/api/v1/voices/",
            {"data": "[1]", "content_type": "application/json"},
            400,
            "invalid",
        ),
        ("post", "/api/v1/voices/", {"data": {}}, 400, "invalid"),
        ("get", "/api/v1/voices/not-a-uuid/", {}, 404, "not_found"),
        ("get", "/api/v1/voices/?cursor=nonsense", {}, 400, "invalid"),
        ("post", "/api/v1/voices/", {"data": b'"\xff"', "content_type": JSON}, 400, "parse_error"),
        ("post", "/api/v1/voices/", {"data": DEEP, "content_type": JSON}, 400, "parse_error"),
        (
            "post",
            "/api/v1/voices/",
            {"data": '{"settings": {"a": "\\ud800"}}', "content_type": JSON},
            400,
            "parse_error",
        ),
        (
            "post",
            "/api/v1/voices/",
            {"data": " " * (2 * 1024 * 1024 + 1), "content_type": JSON},
            413,
            "body_too_large",
        ),
        ("post", "/api/v1/auth/token/", {"data": DEEP, "content_type": JSON}, 400, "parse_error"),
    ],
)
def test_framework_refusals_have_the_one_form(
    method: str, path: str, kwargs: dict[str, Any], status: int, code: str
) -> None:
    client = api_client(make_cast().alice)

    answer = getattr(client, method)(path, **kwargs)

    assert answer.status_code == status
    assert answer["Content-Type"].startswith("application/json")
    assert error_of(answer)["code"] == code
    assert code in error_codes()


def test_not_signed_in_and_bad_host_have_the_one_form(settings: Any) -> None:
    unsigned = api_client().get("/api/v1/me/")
    settings.ALLOWED_HOSTS = ["studio.example.org"]
    bad_host = api_client().get("/api/v1/me/", headers={"Host": "evil.example"})

    assert unsigned.status_code == 401
    assert error_of(unsigned)["code"] == "not_authenticated"
    assert bad_host.status_code == 400
    assert error_of(bad_host)["code"] == "bad_request"


def test_failure_of_the_server_has_the_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    client = api_client(make_cast().alice)

    def break_down(*args: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("accounts.endpoints.resolve_organization", break_down)
    answer = client.get("/api/v1/voices/")

    assert answer.status_code == 500
    assert error_of(answer)["code"] == "internal_error"
    assert "secret detail" not in answer.content.decode()


def test_too_many_requests_say_how_long_to_wait(settings: Any) -> None:
    cache.clear()
    settings.REQUESTS_PER_MINUTE = {"user": 2, "anonymous": 1, "sign_in": 1}
    cast = make_cast()

    # In the middle of a minute, so that all fall into one window.
    with time_machine.travel(datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC), tick=False) as clock:
        client = api_client(cast.alice)
        answers = [client.get("/api/v1/me/") for _ in range(3)]
        other = api_client(cast.bob).get("/api/v1/me/")
        sign_in = [api_client().post("/api/v1/auth/token/", {}) for _ in range(2)]
        clock.shift(31)
        next_minute = client.get("/api/v1/me/")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.status_code for answer in sign_in] == [400, 429]
    for answer in (answers[-1], sign_in[-1]):
        assert error_of(answer)["code"] == "throttled"
        assert answer["Retry-After"] == "30"
    assert other.status_code == next_minute.status_code == 200
    cache.clear()


def test_nested_details_become_dotted_paths() -> None:
    detail = exceptions.ValidationError(
        {
            "cues": [{}, {"text": ["Too long."]}],
            "non_field_errors": ["Wrong."],
            "schedule": {"rrule": [exceptions.ErrorDetail("Bad.", "rrule")]},
        }
    ).detail

    assert list(flatten_details(detail)) == [
        ErrorDetail("cues.1.text", "invalid", "Too long."),
        ErrorDetail("", "invalid", "Wrong."),
        ErrorDetail("schedule.rrule", "rrule", "Bad."),
    ]


def test_domain_errors_carry_code_status_and_retry_after() -> None:
    conflict = handle_exception(ConflictError("No.", retry_after_seconds=7), {})
    busy = handle_exception(UnavailableError(), {})

    assert conflict is not None
    assert busy is not None
    assert (conflict.status_code, conflict["Retry-After"]) == (409, "7")
    assert (busy.status_code, busy["Retry-After"]) == (503, "5")
    assert handle_exception(RuntimeError(), {}) is None


def test_every_code_is_listed_once_with_words() -> None:
    codes = error_codes()

    def subclasses(cls: type[DomainError]) -> set[type[DomainError]]:
        return {cls, *(item for sub in cls.__subclasses__() for item in subclasses(sub))}

    assert {cls.code for cls in subclasses(DomainError)} <= codes.keys()
    assert all(text for text in codes.values())
    assert {"device_mismatch", "organization_required", "throttled"} <= codes.keys()


def test_cursor_pages_lead_through_all_rows() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    seen: list[str] = []
    url = "/api/v1/voices/?page_size=3"

    while url:
        page = client.get(url).json()
        assert set(page) == {"next", "previous", "results"}
        seen += [voice["id"] for voice in page["results"]]
        url = page["next"]

    assert len(seen) == len(set(seen)) == 4
