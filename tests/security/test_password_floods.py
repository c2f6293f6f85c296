"""Passwords cost processors: a network gets its share of them at every door, others the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.utils.http import urlsafe_base64_encode

from accounts.models import User
from accounts.roles import Role
from accounts.services import hashing
from accounts.services.invitations import invite
from accounts.services.locks import require_unlocked
from livestudio.common.networks import network_of
from tests.factories import PASSWORD, Cast, api_client, error_of, make_cast

pytestmark = pytest.mark.django_db

STRANGER = "2001:db8:7:7::9"
SAME_NETWORK = "2001:db8:7:7:ffff::1"
ELSEWHERE = "203.0.113.9"
NEW_PASSWORD = "another-horse-battery"  # noqa: S105 - of nobody
# Each door that computes the hash of a password, and what is sent there.
DOORS: dict[str, Callable[[Cast], dict[str, str]]] = {
    "token/": lambda cast: {"username": "alice", "password": PASSWORD},
    "register/": lambda cast: {
        "username": "zoe", "email": "zoe@example.org", "password": PASSWORD, "organization": "Zoe",
    },
    "password/reset/confirm/": lambda cast: {
        "user": urlsafe_base64_encode(str(cast.bob.pk).encode()),
        "token": default_token_generator.make_token(cast.bob), "password": NEW_PASSWORD,
    },
    "password/": lambda cast: {"password": PASSWORD, "new_password": NEW_PASSWORD},
    "totp/": lambda cast: {"password": PASSWORD},
}  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    cache.clear()
    return make_cast()


@pytest.fixture
def taken_share() -> Iterator[None]:
    """A network has all the places that one network gets."""
    for _ in range(hashing.SHARES.each):
        assert hashing.SHARES.take(network_of(SAME_NETWORK))
    yield
    for _ in range(hashing.SHARES.each):
        hashing.SHARES.leave(network_of(SAME_NETWORK))


class Watched:
    """In place of the processors: whether each hash was computed with a transaction open."""

    def __init__(self) -> None:
        self.in_transaction: list[bool] = []

    def __enter__(self) -> None:
        self.in_transaction.append(connection.in_atomic_block)

    def __exit__(self, *_: object) -> None:
        """Nothing was held."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", DOORS)
def test_nobody_waits_for_the_database_while_a_password_is_hashed(
    cast: Cast, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched()
    monkeypatch.setattr(hashing, "_AT_WORK", watched)
    client = api_client(cast.alice if door in ("password/", "totp/") else None)

    answer = client.post(f"/api/v1/auth/{door}", DOORS[door](cast))

    assert answer.status_code in (200, 201, 204), answer.content
    assert watched.in_transaction
    assert not any(watched.in_transaction)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.usefixtures("taken_share")
def test_passwords_of_one_network_leave_processors_to_others(cast: Cast, door: str) -> None:
    client, path = api_client(cast.alice), f"/api/v1/auth/{door}"
    body = DOORS[door](cast)

    refused = client.post(path, body, REMOTE_ADDR=STRANGER)
    answered = client.post(path, body, REMOTE_ADDR=ELSEWHERE)

    assert (refused.status_code, error_of(refused)["code"]) == (429, "throttled")
    assert int(refused["Retry-After"]) >= 1
    assert answered.status_code in (200, 201, 204), answered.content
    require_unlocked(f"password:alice:{network_of(STRANGER)}")  # nobody guessed


@pytest.mark.usefixtures("taken_share")
def test_pages_tell_one_network_to_wait(cast: Cast) -> None:
    _, link = invite(
        organization=cast.organization,
        email="dora@example.org",
        role=Role.VIEWER,
        actor=cast.alice,
        base_url="http://testserver",
    )
    signed_in = {"username": "alice", "password": PASSWORD}
    new = {"account": "new", "username": "dora", "email": "dora@example.org", "password": PASSWORD}
    pages = [
        ("/admin/login/", signed_in),
        (urlsplit(link).path, {"account": "own", **signed_in}),
        (urlsplit(link).path, new),
    ]

    for path, body in pages:
        answer = Browser(REMOTE_ADDR=STRANGER).post(path, body)
        assert (answer.status_code, int(answer["Retry-After"]) >= 1) == (429, True), path


@pytest.mark.usefixtures("taken_share")
def test_forms_of_the_admin_that_set_a_password_have_the_share_of_their_network(
    cast: Cast,
) -> None:
    superuser = User.objects.create_superuser("root", password=PASSWORD)
    twice = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    own = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    pages = [
        (f"/admin/accounts/user/{cast.bob.pk}/password/", twice),
        ("/admin/accounts/user/add/", {**twice, "username": "zoe", "email": "zoe@example.org"}),
        ("/admin/password_change/", own),
    ]
    browser = Browser()

    for path, body in pages:
        browser.force_login(superuser)
        refused = browser.post(path, body, REMOTE_ADDR=STRANGER)
        answered = browser.post(path, body, REMOTE_ADDR=ELSEWHERE)

        assert (refused.status_code, int(refused["Retry-After"]) >= 1) == (429, True), path
        assert answered.status_code == 302, path
    assert User.objects.get(username="zoe").check_password(NEW_PASSWORD)


def test_share_is_given_back_and_own_machine_has_none(cast: Cast) -> None:
    client = api_client(cast.alice)
    for address in (STRANGER, "127.0.0.1", "::ffff:127.0.0.1"):
        body = {"username": "alice", "password": PASSWORD}
        assert client.post("/api/v1/auth/token/", body, REMOTE_ADDR=address).status_code == 200
    assert len(hashing.SHARES) == len(hashing.WAITING) == 0
    assert 1 <= hashing.SHARES.each < hashing.WAITING.total


def test_password_page_of_the_admin_has_the_limit_of_the_sign_in(
    cast: Cast, settings: pytest.FixtureRequest
) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "sign_in": 0}  # type: ignore[attr-defined]
    browser = Browser()
    browser.force_login(cast.alice)

    answer = browser.post("/admin/password_change/", {"old_password": "x"})

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1
    assert browser.get("/admin/password_change/").status_code == 200
