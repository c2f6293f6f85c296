"""Nobody learns who has an account: the same answer, and the same work behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.core import mail as django_mail
from django.core.cache import cache
from django.test import Client as Browser
from django.utils.http import urlsafe_base64_encode

from accounts import mail
from accounts.models import User
from accounts.roles import Role
from accounts.services.invitations import invite
from tests.factories import PASSWORD, Cast, api_client, make_api_key, make_cast

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-7000-8000-000000000000"


class Work:
    """How often a password was hashed, and the code of a link computed."""

    def __init__(self) -> None:
        self.hashes = 0
        self.codes = 0

    def of(self, ask: Callable[[], Any]) -> tuple[Any, int, int]:
        """(the answer without what differs by chance, hashes, codes)."""
        cache.clear()
        self.hashes = self.codes = 0
        answer = ask()
        mail.wait_until_sent()
        kept = {name: value for name, value in answer.headers.items() if name != "ETag"}
        return (answer.status_code, answer.content, kept), self.hashes, self.codes


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    encode = MD5PasswordHasher.encode
    make_code = PasswordResetTokenGenerator._make_token_with_timestamp  # type: ignore[attr-defined]

    def count_hash(self: Any, *args: Any) -> Any:
        work.hashes += 1
        return encode(self, *args)

    def count_code(self: Any, *args: Any) -> Any:
        work.codes += 1
        return make_code(self, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count_hash)
    monkeypatch.setattr(PasswordResetTokenGenerator, "_make_token_with_timestamp", count_code)
    return work


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def post(path: str, body: dict[str, Any]) -> Callable[[], Any]:
    return lambda: api_client().post(f"/api/v1/auth/{path}", body)


def test_sign_in_is_refused_alike(cast: Cast, work: Work) -> None:
    machine = make_api_key(cast, "show.edit")[0].membership.user
    User.objects.filter(pk=cast.charlie.pk).update(is_active=False)
    names = ["alice", "nobody_of_this_name", "charlie", machine.username, "ALICE "]

    told = [
        work.of(post("token/", {"username": name, "password": "wrong-password-1"}))
        for name in names
    ]
    right = work.of(post("token/", {"username": "charlie", "password": PASSWORD}))

    assert told[0][0][0] == 401
    assert all(one == told[0] for one in told)
    assert told[0][1] == 1
    assert right == told[0]  # an account that is switched off is not told of either


def test_admin_refuses_alike(cast: Cast, work: Work) -> None:
    def ask(name: str) -> Callable[[], Any]:
        body = {"username": name, "password": "wrong-password-1"}
        return lambda: Browser().post("/admin/login/", body)

    known, unknown = work.of(ask("alice")), work.of(ask("zelda"))

    assert known[0][0] == unknown[0][0] == 200
    assert known[1:] == unknown[1:] == (1, 0)
    assert "zelda" not in known[0][1].decode()


def test_lock_does_not_tell_who_exists(cast: Cast, work: Work) -> None:
    def ask(name: str) -> list[int]:
        cache.clear()
        body = {"username": name, "password": "wrong-password-1"}
        return [api_client().post("/api/v1/auth/token/", body).status_code for _ in range(7)]

    assert ask("alice") == ask("nobody_of_this_name")


def test_new_password_is_asked_for_alike(
    cast: Cast, work: Work, django_capture_on_commit_callbacks: Any
) -> None:
    User.objects.filter(pk=cast.alice.pk).update(email="alice@example.org")

    with django_capture_on_commit_callbacks(execute=True):
        known, unknown = (
            work.of(post("password/reset/", {"email": email}))
            for email in ("alice@example.org", "nobody@example.org")
        )
    mail.wait_until_sent()

    assert known[0] == unknown[0]
    assert known[0][0] == 204
    assert known[1] == unknown[1] == 0
    assert len(django_mail.outbox) == 1


def test_wrong_link_is_refused_alike(cast: Cast, work: Work) -> None:
    wrong = default_token_generator.make_token(cast.bob)

    def ask(user: Any) -> Callable[[], Any]:
        encoded = urlsafe_base64_encode(str(user).encode())
        body = {"user": encoded, "token": wrong, "password": "another-horse-battery"}
        return post("password/reset/confirm/", body)

    known, unknown = work.of(ask(cast.alice.pk)), work.of(ask(NOBODY))

    assert known == unknown
    assert known[1] == 0
    assert known[2] > 0


def test_address_of_somebody_else_registers_alike(cast: Cast, work: Work, settings: Any) -> None:
    """Only the user name is unique; that it is taken must be said, sixty times a minute at most."""
    User.objects.filter(pk=cast.alice.pk).update(email="alice@example.org")
    found = []
    for number, email in enumerate(("alice@example.org", "nobody@example.org")):
        body = {"username": f"newcomer{number}", "email": email, "password": PASSWORD}
        (status, _, headers), hashes, _ = work.of(post("register/", {**body, "organization": "N"}))
        headers.pop("Content-Length", None)
        found.append((status, headers, hashes))

    assert found[0] == found[1]
    assert found[0][0] == 201
    assert found[0][2] == 1


@pytest.mark.parametrize("is_page", [True, False])
def test_invitation_tells_nothing_of_its_reader(cast: Cast, work: Work, *, is_page: bool) -> None:
    """Whether who is invited has an account: neither the page nor the one who invites is told."""
    User.objects.filter(pk=cast.charlie.pk).update(email="charlie@example.org")
    told = []
    for email in ("charlie@example.org", "unknown@example.org"):
        if is_page:
            _, link = invite(
                organization=cast.organization, email=email, role=Role.VIEWER, actor=cast.alice,
                base_url="",
            )  # fmt: skip
            page = Browser().get(link).content.decode().replace(email, "").replace(link, "")
            told.append((len(page), page.count("<form"), page.count("<input")))
        else:
            path = f"/api/v1/organizations/{cast.organization.pk}/invitations/"
            body = {"email": email, "role": "viewer"}
            answer = api_client(cast.alice).post(path, body)
            told.append((answer.status_code, sorted(answer.json())))

    assert told[0] == told[1]


def test_invitation_refuses_a_wrong_password_alike(cast: Cast, work: Work) -> None:
    _, link = invite(
        organization=cast.elsewhere, email="x@example.org", role=Role.VIEWER, actor=cast.charlie,
        base_url="",
    )  # fmt: skip

    def ask(name: str) -> tuple[Any, int, int]:
        body = {"account": "own", "username": name, "password": "wrong-password-1", "code": ""}
        (status, content, headers), *counts = work.of(lambda: Browser().post(link, body))
        return (status, len(content) - len(name), sorted(headers)), *counts

    known, unknown = ask("alice"), ask("zelda")

    assert known == unknown
    assert known[1] == 1
