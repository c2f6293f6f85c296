"""API keys: what a program may do with one, and when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiKey, AuditEntry, IdempotencyRecord, User
from accounts.roles import ALL_PERMISSIONS, SCOPES
from livestudio.common.log import redact_text
from tests.factories import Cast, api_client, error_of, make_api_key
from tests.streams.plans import show_body

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def program(key: str) -> APIClient:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return client


def address(cast: Cast, key: ApiKey | None = None) -> str:
    base = f"/api/v1/organizations/{cast.organization.pk}/api-keys/"
    return f"{base}{key.pk}/" if key else base


def test_owner_makes_a_key_that_is_shown_once(cast: Cast) -> None:
    client = api_client(cast.alice)
    body = {"name": "Shop system", "scopes": ["show.edit", "broadcast.start"]}

    made = client.post(address(cast), body)
    listed = client.get(address(cast)).json()["results"]

    assert made.status_code == 201, made.content
    key = made.json()["key"]
    assert made.json()["scopes"] == ["broadcast.start", "broadcast.view", "show.edit", "show.view"]
    assert key.startswith(listed[0]["prefix"])
    assert key not in str(listed)
    assert listed[0]["created_by"] == "alice"
    assert redact_text(f"with {key} at") == "with [redacted] at"
    assert AuditEntry.objects.filter(action="accounts.api_key.created", actor=cast.alice).exists()


def test_program_makes_a_show_and_is_named_in_the_audit(cast: Cast) -> None:
    key, plain = make_api_key(cast, "show.edit")

    answer = program(plain).post("/api/v1/shows/", show_body(cast.organization))

    assert answer.status_code == 201, answer.content
    entry = AuditEntry.objects.filter(action="streams.show.created").latest("created_at")
    assert entry.actor == key.membership.user
    assert entry.organization == cast.organization


@pytest.mark.parametrize(
    "path", ["avatars", "voices", "pronunciations", "outputs", "pictures", "broadcasts"]
)
def test_what_is_out_of_scope_is_not_even_read(cast: Cast, path: str) -> None:
    _, plain = make_api_key(cast, "recording.edit")

    answer = program(plain).get(f"/api/v1/{path}/")

    assert answer.status_code == 403
    assert error_of(answer)["code"] == "forbidden"


def test_scopes_limit_what_the_key_writes(cast: Cast) -> None:
    _, plain = make_api_key(cast, "show.view", "avatar.view", "voice.view")

    reads = program(plain).get("/api/v1/shows/")
    writes = program(plain).post("/api/v1/shows/", show_body(cast.organization))

    assert (reads.status_code, writes.status_code) == (200, 403)


def test_no_scope_lets_a_key_make_keys_or_members(cast: Cast) -> None:
    _, plain = make_api_key(cast, *SCOPES)

    answer = program(plain).post(address(cast), {"name": "More", "scopes": ["show.view"]})

    assert answer.status_code == 403
    assert ALL_PERMISSIONS - SCOPES == {"organization.manage", "audit.view"}


def test_key_of_one_organization_finds_nothing_of_another(cast: Cast) -> None:
    _, plain = make_api_key(cast, *SCOPES)
    client = program(plain)

    named = client.get("/api/v1/shows/", headers={"X-Organization": str(cast.elsewhere.pk)})

    assert named.status_code == 404
    assert [item["id"] for item in client.get("/api/v1/me/").json()["organizations"]] == [
        str(cast.organization.pk)
    ]


def test_revoked_key_is_refused_at_once_and_leaves_the_list(cast: Cast) -> None:
    key, plain = make_api_key(cast)

    removed = api_client(cast.alice).delete(address(cast, key))
    again = api_client(cast.alice).delete(address(cast, key))
    answer = program(plain).get("/api/v1/shows/")

    assert (removed.status_code, again.status_code) == (204, 404)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "api_key_invalid"
    assert api_client(cast.alice).get(address(cast)).json()["results"] == []


def test_key_ends_when_it_said(cast: Cast) -> None:
    _, plain = make_api_key(cast, expires_at=timezone.now() + timedelta(hours=1))

    assert program(plain).get("/api/v1/shows/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert program(plain).get("/api/v1/shows/").status_code == 401


@pytest.mark.parametrize("change", ["wrong secret", "nonsense", "empty", "not ascii"])
def test_wrong_key_is_refused(cast: Cast, change: str) -> None:
    _, plain = make_api_key(cast)
    wrong = {"wrong secret": plain[:-3] + "xyz", "nonsense": "x", "empty": "", "not ascii": "ls_é_"}

    answer = program(wrong[change]).get("/api/v1/shows/")

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "api_key_invalid"


def test_last_use_is_noted_once_a_minute(cast: Cast) -> None:
    key, plain = make_api_key(cast)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        seen = []
        for seconds in (0, 30, 31):
            clock.shift(timedelta(seconds=seconds))
            program(plain).get("/api/v1/shows/")
            key.refresh_from_db()
            seen.append(key.last_used_at)

    assert seen[0] == seen[1] < seen[2]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("scopes", []),
        ("scopes", ["show.edti"]),
        ("scopes", ["organization.manage"]),
        ("expires_at", "2020-01-01T00:00:00Z"),
    ],
)
def test_wrong_draft_names_the_field(cast: Cast, field: str, value: Any) -> None:
    body = {"name": "Shop", "scopes": ["show.view"], field: value}

    answer = api_client(cast.alice).post(address(cast), body)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == field
    assert not ApiKey.objects.exists()


def test_repeated_request_gets_the_same_key_and_no_row_shows_it(cast: Cast) -> None:
    client, body = api_client(cast.alice), {"name": "Shop", "scopes": ["show.view"]}
    headers = {"Idempotency-Key": "key-1"}

    first = client.post(address(cast), body, headers=headers).json()
    second = client.post(address(cast), body, headers=headers).json()

    assert first == second
    assert ApiKey.objects.count() == 1
    assert first["key"] not in str(list(IdempotencyRecord.objects.values()))


@pytest.mark.parametrize("path", ["auth/logout/", "auth/devices/"])
def test_what_is_about_people_is_not_for_programs(cast: Cast, path: str) -> None:
    _, plain = make_api_key(cast, *SCOPES)
    method = "post" if "logout" in path else "get"

    answer = getattr(program(plain), method)(f"/api/v1/{path}")

    assert answer.status_code == 403


def test_user_of_a_key_is_no_person(cast: Cast) -> None:
    key, _ = make_api_key(cast, *SCOPES)
    user = key.membership.user
    root = User.objects.create(username="root", is_superuser=True, is_staff=True)
    admin = Client()
    admin.force_login(root)

    assert not user.is_staff
    assert not user.has_usable_password()
    for page in ("user", "membership", "membership/add"):
        assert user.username not in admin.get(f"/admin/accounts/{page}/").content.decode()


def test_owner_makes_and_revokes_keys_in_the_admin(cast: Cast) -> None:
    owner, operator = Client(), Client()
    owner.force_login(cast.alice)
    operator.force_login(cast.bob)
    form = {
        "organization": str(cast.organization.pk),
        "name": "Shop system",
        "scopes": ["show.edit"],
        "expires_at_0": "",
        "expires_at_1": "",
    }

    page = owner.post("/admin/accounts/apikey/add/", form, follow=True).content.decode()
    key = ApiKey.objects.get()
    shown = owner.get(f"/admin/accounts/apikey/{key.pk}/change/").content.decode()
    chosen = {"action": "revoke", "_selected_action": str(key.pk)}
    assert operator.post("/admin/accounts/apikey/", chosen).status_code == 403
    owner.post("/admin/accounts/apikey/", chosen)

    key.refresh_from_db()
    assert f"{key.prefix}_" in page
    assert "show.edit, show.view" in shown
    assert key.revoked_at is not None
