"""Forgotten and changed passwords, over the API, the pages and the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from accounts.letters import reset_letter
from accounts.models import AuditEntry, DeviceSession, User
from livestudio import settings as product_settings
from tests.accounts.letters import Postman
from tests.factories import PASSWORD, Cast, UserFactory, api_client, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NEW = "another-long-secret"
RESET = "/api/v1/auth/password/reset/"


def forget(postman: Postman, email: str = "alice@example.org", **headers: str) -> Any:
    return postman.after(lambda: api_client(**headers).post(RESET, {"email": email}))


def confirm(link: str, password: str = NEW) -> Any:
    user, token = link.strip("/").split("/")[-2:]
    body = {"user": user, "token": token, "password": password}
    return api_client().post(f"{RESET}confirm/", body)


def signs_in(password: str) -> bool:
    body = {"username": "alice", "password": password}
    return bool(api_client().post("/api/v1/auth/token/", body).status_code == 200)


def test_link_of_the_mail_sets_a_password_once_and_ends_every_session(
    cast: Cast, postman: Postman
) -> None:
    before = api_client(cast.alice)

    asked = forget(postman, "Alice@Example.org")
    first, second = confirm(postman.link()), confirm(postman.link(), "yet-another-secret")

    assert asked.status_code == first.status_code == 204
    assert postman.box[0].to == ["alice@example.org"]
    assert error_of(second)["code"] == "link_invalid"
    assert signs_in(NEW)
    assert not signs_in(PASSWORD)
    assert before.get("/api/v1/me/").status_code == 401
    assert AuditEntry.objects.filter(action="accounts.password.reset").count() == 1


@pytest.mark.parametrize("email", ["nobody@example.org", "gone@example.org", "sso@example.org"])
def test_unknown_address_gets_the_same_answer_and_no_mail(
    cast: Cast, postman: Postman, email: str
) -> None:
    UserFactory(email="gone@example.org", is_active=False)
    without_password = UserFactory(email="sso@example.org")
    without_password.set_unusable_password()
    without_password.save()

    answer = forget(postman, email)

    assert (answer.status_code, answer.content) == (204, b"")
    assert postman.box == []


def test_a_mailbox_is_not_flooded(cast: Cast, postman: Postman) -> None:
    answers = [forget(postman).status_code for _ in range(7)]

    assert answers == [204] * 7
    assert len(postman.box) == 4


def test_link_ends_after_an_hour(cast: Cast, postman: Postman) -> None:
    forget(postman)

    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        answer = confirm(postman.link())

    assert error_of(answer)["code"] == "link_invalid"
    assert signs_in(PASSWORD)


@pytest.mark.parametrize("link", ["/x/y/", "/MTI/c-d/", "/4pyT/0-0/"])
def test_made_up_link_is_refused(cast: Cast, link: str) -> None:
    assert error_of(confirm(link))["code"] == "link_invalid"


def test_weak_password_is_refused_and_the_link_stays_good(cast: Cast, postman: Postman) -> None:
    forget(postman)

    weak, good = confirm(postman.link(), "short"), confirm(postman.link())

    assert error_of(weak)["details"][0]["field"] == "password"
    assert good.status_code == 204


def test_site_without_mail_says_so(cast: Cast, settings: Any) -> None:
    settings.MAIL = "off"

    answer = api_client().post(RESET, {"email": "alice@example.org"})

    assert answer.status_code == 503
    assert error_of(answer)["code"] == "mail_off"
    page = Client().post("/account/password/", {"email": "alice@example.org"})
    assert "不发送邮件" in page.content.decode()


def test_mail_is_in_the_language_of_the_request(cast: Cast) -> None:
    with override("zh-hans"):
        chinese = reset_letter(cast.alice, "http://x/")
    with override("en"):
        english = reset_letter(cast.alice, "http://x/")

    assert "alice" in chinese.text
    assert chinese.subject == "重设 LiveStudio 密码"
    assert english.subject == "A new password for LiveStudio"


def test_pages_lead_from_the_sign_in_to_a_new_password(cast: Cast, postman: Postman) -> None:
    browser = Client()

    assert "/account/password/" in browser.get("/admin/login/").content.decode()
    asked = postman.after(
        lambda: browser.post("/account/password/", {"email": "alice@example.org"})
    )
    page = browser.get(postman.link(), follow=True)
    form = {"new_password1": NEW, "new_password2": NEW}
    done = browser.post(page.redirect_chain[-1][0], form)

    assert asked["Location"] == "/account/password/sent/"
    assert done["Location"] == "/account/password/done/"
    assert signs_in(NEW)
    for path in ("/account/password/", asked["Location"], done["Location"]):
        assert "LiveStudio" in browser.get(path).content.decode()


@pytest.mark.usefixtures("still_clock")
def test_page_limits_tries_of_an_address(cast: Cast, settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "sign_in": 1}
    form = {"email": "alice@example.org"}

    answers = [Client().post("/account/password/", form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 429]
    assert int(answers[1]["Retry-After"]) > 0


def test_changing_the_password_needs_the_old_one_and_keeps_this_device(cast: Cast) -> None:
    phone, desk = api_client(cast.alice), api_client(cast.alice)
    body = {"password": PASSWORD, "new_password": NEW}

    wrong = desk.post("/api/v1/auth/password/", {**body, "password": "wrong"})
    weak = desk.post("/api/v1/auth/password/", {**body, "new_password": "short"})
    changed = desk.post("/api/v1/auth/password/", body)
    headers = {"Authorization": f"Bearer {changed.json()['access']}"}

    assert wrong.status_code == 401
    assert error_of(weak)["details"][0]["field"] == "new_password"
    assert changed.status_code == 200
    assert api_client().get("/api/v1/me/", headers=headers).status_code == 200
    assert phone.get("/api/v1/me/").status_code == 401
    assert DeviceSession.objects.filter(user=cast.alice, revoked_at=None).count() == 1


def test_password_changed_in_the_admin_ends_every_session(cast: Cast) -> None:
    phone, admin = api_client(cast.alice), Client()
    admin.force_login(cast.alice)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}

    answer = admin.post("/admin/password_change/", form)

    assert answer.status_code == 302
    assert phone.get("/api/v1/me/").status_code == 401
    assert not DeviceSession.objects.filter(user=cast.alice, revoked_at=None).exists()


def test_older_hash_is_accepted_and_made_anew_with_bcrypt(db: None, settings: Any) -> None:
    hashers = "django.contrib.auth.hashers"
    settings.PASSWORD_HASHERS = [
        f"{hashers}.BCryptSHA256PasswordHasher",
        f"{hashers}.PBKDF2PasswordHasher",
    ]
    old = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)
    User.objects.create(username="alice", password=old)

    assert signs_in(PASSWORD)
    assert User.objects.get().password.startswith("bcrypt_sha256$")
    assert product_settings.PASSWORD_HASHERS == settings.PASSWORD_HASHERS
