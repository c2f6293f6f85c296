"""Sign-in, devices and tokens, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AuditEntry, DeviceSession, Membership, User
from tests.factories import PASSWORD, UserFactory, api_client, error_of, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ACCOUNT = {
    "username": "Dora_1",
    "email": "dora@example.org",
    "password": "a-long-enough-secret",
    "organization": "Dora's studio",
}


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def sign_in(client: APIClient, username: str = "alice", /, **extra: str) -> Any:
    body = {"username": username, "password": PASSWORD, **extra}
    return client.post("/api/v1/auth/token/", body)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_register_makes_an_owner_with_built_in_presenter_and_voices() -> None:
    answer = api_client().post("/api/v1/auth/register/", ACCOUNT)

    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert body["user"]["username"] == "dora_1"
    assert body["organization"]["name"] == "Dora's studio"
    client = api_client()
    headers = bearer(body["access"])
    avatars = client.get("/api/v1/avatars/", headers=headers).json()["results"]
    voices = client.get("/api/v1/voices/", headers=headers).json()["results"]
    assert {avatar["engine"] for avatar in avatars} == {"puppet"}
    assert sorted((v["language"], v["settings"]["gender"]) for v in voices) == [
        ("en-US", "female"),
        ("en-US", "male"),
        ("zh-CN", "female"),
        ("zh-CN", "male"),
    ]
    assert Membership.objects.get(user__username="dora_1").role == "owner"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "no"),
        ("username", "with blank"),
        ("username", "汉字名字"),
        ("email", "not an address"),
        ("password", "short"),
        ("password", "123456789012"),
        ("organization", ""),
    ],
)
def test_register_names_the_wrong_field(field: str, value: str) -> None:
    answer = api_client().post("/api/v1/auth/register/", {**ACCOUNT, field: value})

    assert answer.status_code == 400
    error = error_of(answer)
    assert error["code"] == "invalid"
    assert field in {detail["field"] for detail in error["details"]}
    assert not User.objects.exists()


def test_register_refuses_a_taken_name_in_any_case() -> None:
    UserFactory(username="dora_1")

    answer = api_client().post("/api/v1/auth/register/", ACCOUNT)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "username"


def test_options_tell_what_a_sign_in_page_may_offer(settings: Any) -> None:
    settings.REGISTRATION, settings.MAIL = "invite", "off"

    answer = api_client().get("/api/v1/auth/options/").json()

    assert answer == {"registration": "invite", "email_verification": "off", "sends_mail": False}


def test_token_opens_the_api_and_names_the_device() -> None:
    make_cast()

    body = sign_in(api_client(), "ALICE", device_id="device-0001", device_name="Desk").json()
    headers = {**bearer(body["access"]), "X-Device-Id": "device-0001"}
    me = api_client().get("/api/v1/me/", headers=headers).json()

    assert body["device"] == {"id": "device-0001", "name": "Desk"}
    assert me["username"] == "alice"
    assert me["organizations"][0]["role"] == "owner"
    assert "show.edit" in me["organizations"][0]["permissions"]


def test_wrong_password_says_neither_which() -> None:
    make_cast()
    wrong = {"username": "alice", "password": "no-such-password"}

    answer = api_client().post("/api/v1/auth/token/", wrong)
    unknown = api_client().post("/api/v1/auth/token/", {**wrong, "username": "nobody"})

    assert answer.status_code == unknown.status_code == 401
    assert error_of(answer) == error_of(unknown)
    assert error_of(answer)["code"] == "authentication_failed"


def test_five_wrong_passwords_lock_this_name_and_address_for_a_while() -> None:
    make_cast()
    wrong = {"username": "alice", "password": "no-such-password"}
    for _ in range(5):
        assert api_client().post("/api/v1/auth/token/", wrong).status_code == 401

    locked = sign_in(api_client())

    assert locked.status_code == 429
    assert error_of(locked)["code"] == "sign_in_locked"
    assert int(locked["Retry-After"]) > 0
    assert sign_in(api_client(), "bob").status_code == 200


def test_token_of_another_device_is_refused() -> None:
    make_cast()
    access = sign_in(api_client(), device_id="device-0001").json()["access"]

    elsewhere = api_client().get(
        "/api/v1/me/", headers={**bearer(access), "X-Device-Id": "device-0002"}
    )
    without = api_client().get("/api/v1/me/", headers=bearer(access))

    for answer in (elsewhere, without):
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "device_mismatch"
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_token_without_device_id_works_without_and_not_from_a_named_device() -> None:
    make_cast()
    body = sign_in(api_client()).json()

    plain = api_client().get("/api/v1/me/", headers=bearer(body["access"]))
    other = api_client().get(
        "/api/v1/me/", headers={**bearer(body["access"]), "X-Device-Id": "device-0002"}
    )

    assert plain.status_code == 200
    assert error_of(other)["code"] == "device_mismatch"


def test_refresh_rotates_and_an_outdated_token_ends_the_session() -> None:
    make_cast()
    first = sign_in(api_client()).json()["refresh"]
    second = api_client().post("/api/v1/auth/token/refresh/", {"refresh": first}).json()

    reused = api_client().post("/api/v1/auth/token/refresh/", {"refresh": first})
    after = api_client().post("/api/v1/auth/token/refresh/", {"refresh": second["refresh"]})

    assert second["refresh"] != first
    assert reused.status_code == after.status_code == 401
    assert error_of(after)["code"] == "signed_out"


@pytest.mark.parametrize(("seconds", "status"), [(9, 200), (11, 401)])
def test_two_tabs_of_a_browser_may_refresh_at_the_same_moment(seconds: int, status: int) -> None:
    make_cast()
    browser = api_client()
    sign_in(browser, client="browser")
    spent = browser.cookies["livestudio_refresh"].value
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first_tab = browser.post("/api/v1/auth/token/refresh/", {}).json()
        browser.get("/api/v1/me/", headers=bearer(first_tab["access"]))
        clock.shift(timedelta(seconds=seconds))

        browser.cookies["livestudio_refresh"] = spent
        second_tab = browser.post("/api/v1/auth/token/refresh/", {})
        goes_on = browser.post("/api/v1/auth/token/refresh/", {})

    assert second_tab.status_code == goes_on.status_code == status


def test_tabs_that_refresh_at_the_same_moment_are_given_the_same() -> None:
    """Whose answer comes last decides what their common cookie holds."""
    make_cast()
    browser = api_client()
    sign_in(browser, client="browser")
    spent = browser.cookies["livestudio_refresh"].value
    tabs, cookies = [], []
    for _ in range(2):
        browser.cookies["livestudio_refresh"] = spent
        tabs.append(browser.post("/api/v1/auth/token/refresh/", {}).json()["access"])
        cookies.append(browser.cookies["livestudio_refresh"].value)

    seen = [browser.get("/api/v1/me/", headers=bearer(access)).status_code for access in tabs]
    browser.cookies["livestudio_refresh"] = cookies[0]

    assert seen == [200, 200]
    assert browser.post("/api/v1/auth/token/refresh/", {}).status_code == 200


def test_renewal_whose_answer_was_lost_is_asked_for_again_by_a_browser() -> None:
    make_cast()
    client = api_client()
    sign_in(client, client="browser")
    kept = client.cookies["livestudio_refresh"].value

    def renew() -> Any:
        client.cookies["livestudio_refresh"] = kept
        return client.post("/api/v1/auth/token/refresh/", {})

    lost = [renew().json()["access"]]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(3):
            clock.shift(timedelta(minutes=1))
            lost.append(renew().json()["access"])
        arrived = lost.pop()
        seen = [
            client.get("/api/v1/me/", headers=bearer(access)).status_code
            for access in (*lost, arrived)
        ]

        # From its first use on the old one is spent.
        clock.shift(timedelta(minutes=1))
        late = renew()
        after = client.get("/api/v1/me/", headers=bearer(arrived))

    assert seen == [401, 401, 401, 200]
    assert (late.status_code, error_of(late)["code"]) == (401, "signed_out")
    assert error_of(after)["code"] == "signed_out"


def test_an_access_token_is_not_a_refresh_token() -> None:
    make_cast()
    body = sign_in(api_client()).json()

    swapped = api_client().post("/api/v1/auth/token/refresh/", {"refresh": body["access"]})
    used = api_client().get("/api/v1/me/", headers=bearer(body["refresh"]))

    assert error_of(swapped)["code"] == error_of(used)["code"] == "token_invalid"


def test_expired_and_forged_tokens_are_refused() -> None:
    make_cast()
    access = sign_in(api_client()).json()["access"]
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        expired = api_client().get("/api/v1/me/", headers=bearer(access))
    forged = api_client().get("/api/v1/me/", headers=bearer(access[:-2] + "AA"))
    garbage = api_client().get("/api/v1/me/", headers=bearer("汉"))

    for answer in (expired, forged, garbage):
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "token_invalid"


def test_browser_keeps_refresh_token_and_device_in_cookies() -> None:
    make_cast()
    browser = api_client()

    body = sign_in(browser, client="browser").json()
    again = browser.post("/api/v1/auth/token/refresh/", {})
    me = browser.get("/api/v1/me/", headers=bearer(again.json()["access"]))

    assert body["refresh"] is None
    cookie = browser.cookies["livestudio_refresh"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/api/v1/auth/"
    assert me.status_code == 200
    stolen = api_client().get("/api/v1/me/", headers=bearer(body["access"]))
    assert error_of(stolen)["code"] == "device_mismatch"


def test_cookie_refresh_from_another_site_is_refused() -> None:
    make_cast()
    browser = api_client()
    sign_in(browser, client="browser")

    answer = browser.post(
        "/api/v1/auth/token/refresh/", {}, headers={"Origin": "https://evil.example"}
    )

    assert answer.status_code == 403
    assert error_of(answer)["code"] == "csrf_failed"


def test_logout_refuses_the_token_at_once() -> None:
    make_cast()
    headers = bearer(sign_in(api_client()).json()["access"])

    assert api_client().post("/api/v1/auth/logout/", headers=headers).status_code == 204
    after = api_client().get("/api/v1/me/", headers=headers)

    assert after.status_code == 401
    assert error_of(after)["code"] == "signed_out"


def test_a_device_can_be_signed_out_from_another() -> None:
    cast = make_cast()
    lost = sign_in(api_client(), device_id="lost-phone").json()
    desk = api_client(cast.alice)

    listed = desk.get("/api/v1/auth/devices/").json()["results"]
    removed = desk.delete("/api/v1/auth/devices/lost-phone/")
    headers = {**bearer(lost["access"]), "X-Device-Id": "lost-phone"}
    after = api_client().get("/api/v1/me/", headers=headers)

    assert {device["id"]: device["current"] for device in listed}["lost-phone"] is False
    assert removed.status_code == 204
    assert error_of(after)["code"] == "signed_out"
    assert desk.get("/api/v1/me/").status_code == 200


def test_nobody_sees_or_ends_the_devices_of_another() -> None:
    cast = make_cast()
    sign_in(api_client(), device_id="alice-phone")
    charlie = api_client(cast.charlie)

    listed = charlie.get("/api/v1/auth/devices/").json()["results"]
    removed = charlie.delete("/api/v1/auth/devices/alice-phone/")

    assert "alice-phone" not in {device["id"] for device in listed}
    assert removed.status_code == 404
    assert DeviceSession.objects.get(device_id="alice-phone").revoked_at is None


def test_changing_the_password_ends_every_token() -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    cast.alice.set_password("another-long-secret")
    cast.alice.save()

    answer = client.get("/api/v1/me/")

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "signed_out"


@pytest.mark.parametrize("device_id", ["with blank 1", "x" * 65, "<script>alert(1)"])
def test_device_id_of_a_wrong_form_is_refused(device_id: str) -> None:
    make_cast()

    in_body = sign_in(api_client(), device_id=device_id)
    in_header = sign_in(api_client(x_device_id=device_id))

    assert in_body.status_code == in_header.status_code == 400


def test_sign_in_leaves_an_audit_entry_without_the_tokens() -> None:
    make_cast()
    body = sign_in(api_client(), device_name="Desk").json()

    entry = AuditEntry.objects.filter(action="accounts.device.signed_in").latest("created_at")

    assert str(entry.actor) == "alice"
    assert entry.data == {"device": "Desk"}
    assert body["access"] not in str(entry.data)
