"""EMAIL_VERIFICATION=required: a new account waits until its mail was opened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services.verification import verify_email
from livestudio.first_run import ensure_administrator
from tests.accounts.letters import Postman
from tests.factories import Cast, api_client, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ACCOUNT = {
    "username": "dora",
    "email": "dora@example.org",
    "password": "a-long-enough-secret",
    "organization": "Dora's studio",
}


@pytest.fixture(autouse=True)
def _required(settings: Any) -> None:
    settings.EMAIL_VERIFICATION = "required"


def register(postman: Postman) -> Any:
    return postman.after(lambda: api_client().post("/api/v1/auth/register/", ACCOUNT))


def sign_in() -> Any:
    body = {"username": "dora", "password": ACCOUNT["password"]}
    return api_client().post("/api/v1/auth/token/", body)


def verify(link: str) -> Any:
    token = link.strip("/").rpartition("/")[2]
    return api_client().post("/api/v1/auth/email/verify/", {"token": token})


def test_new_account_signs_in_after_its_mail_was_opened(postman: Postman) -> None:
    registered = register(postman)
    before = sign_in()
    verified = [verify(postman.link()).status_code for _ in range(2)]

    assert registered.status_code == 201
    assert registered.json()["organization"]["name"] == "Dora's studio"
    tokens = {name: registered.json()[name] for name in ("access", "refresh", "device")}
    assert tokens == {"access": None, "refresh": None, "device": None}
    assert before.status_code == 403
    assert error_of(before)["code"] == "email_unverified"
    assert verified == [204, 204]
    assert sign_in().status_code == 200


def test_admin_waits_for_the_mail_too(postman: Postman) -> None:
    register(postman)
    form = {"username": "dora", "password": ACCOUNT["password"]}

    before = Client().post("/admin/login/", form)
    verify(postman.link())

    assert "请先确认邮箱" in before.content.decode()
    assert Client().post("/admin/login/", form).status_code == 302


def test_visit_alone_confirms_nothing_and_the_button_does(postman: Postman) -> None:
    register(postman)
    browser = Client()

    browser.get(postman.link())
    assert sign_in().status_code == 403
    page = browser.post(postman.link())

    assert "dora@example.org" in page.content.decode()
    assert sign_in().status_code == 200


def test_old_and_foreign_links_confirm_nothing(postman: Postman) -> None:
    register(postman)
    link = postman.link()

    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert error_of(verify(link))["code"] == "link_invalid"
    assert error_of(verify(link[:-4] + "abc/"))["code"] == "link_invalid"
    assert Client().post(link[:-4] + "abc/").status_code == 404
    User.objects.update(email="other@example.org")
    assert error_of(verify(link))["code"] == "link_invalid"


def test_mail_can_be_sent_again_and_tells_nobody_who_waits(postman: Postman) -> None:
    register(postman)

    for email in ("dora@example.org", "nobody@example.org"):
        body = {"email": email}
        answer = postman.after(
            lambda body=body: api_client().post("/api/v1/auth/email/resend/", body)
        )
        assert (answer.status_code, answer.content) == (204, b"")

    assert [mail.to for mail in postman.box] == [["dora@example.org"]] * 2
    assert verify_email(token=postman.link().strip("/").rpartition("/")[2]).username == "dora"


def test_accounts_made_by_others_need_no_mail(cast: Cast, settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = tmp_path
    made = ensure_administrator()
    form = {"username": made.user.username, "password": made.password}

    assert api_client().post("/api/v1/auth/token/", form).status_code == 200


def test_new_password_by_mail_proves_the_address(postman: Postman) -> None:
    register(postman)
    body = {"email": "dora@example.org"}
    postman.after(lambda: api_client().post("/api/v1/auth/password/reset/", body))
    user, token = postman.link().strip("/").split("/")[-2:]
    body = {"user": user, "token": token, "password": ACCOUNT["password"]}

    api_client().post("/api/v1/auth/password/reset/confirm/", body)

    assert sign_in().status_code == 200
