"""Invitations: who may ask whom in, and how they join."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import time_machine
from django.test import Client
from django.utils import timezone, translation

from accounts.models import Invitation, Membership, User
from accounts.services import invitations, members
from accounts.services.hashing import SignInBusyError
from livestudio.common.reasons import translate_reason
from tests.accounts.letters import Postman
from tests.factories import PASSWORD, Cast, api_client, error_of, make_invitation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ACCOUNT = {"username": "dora", "email": "dora@example.org", "password": "a-long-enough-secret"}
REGISTER = "/api/v1/auth/register/"
ACCEPT = "/api/v1/auth/invitation/accept/"


def address(cast: Cast, invitation_id: str = "") -> str:
    base = f"/api/v1/organizations/{cast.organization.pk}/invitations/"
    return f"{base}{invitation_id}/" if invitation_id else base


def invite(cast: Cast, email: str = "dora@example.org", role: str = "operator") -> Any:
    return api_client(cast.alice).post(address(cast), {"email": email, "role": role})


def token_of(link: str) -> str:
    return link.strip("/").rpartition("/")[2]


def test_mail_leads_to_an_account_in_the_organization(
    cast: Cast, postman: Postman, settings: Any
) -> None:
    settings.REGISTRATION = "invite"

    made = postman.after(lambda: invite(cast))
    token = token_of(postman.link())
    seen = api_client().post("/api/v1/auth/invitation/", {"token": token}).json()
    joined = api_client().post(REGISTER, {**ACCOUNT, "invitation": token})
    again = api_client().post(REGISTER, {**ACCOUNT, "username": "eve", "invitation": token})

    assert made.status_code == 201
    assert made.json()["url"] is None  # it went by mail
    assert postman.box[0].to == ["dora@example.org"]
    assert (seen["organization"], seen["role"], seen["invited_by"]) == (
        "alice's studio",
        "operator",
        "alice",
    )
    assert joined.status_code == 201, joined.content
    assert joined.json()["organization"]["id"] == str(cast.organization.pk)
    assert joined.json()["access"]
    assert Membership.objects.get(user__username="dora").role == "operator"
    assert error_of(again)["code"] == "link_invalid"
    assert not User.objects.filter(username="eve").exists()


def test_without_mail_the_owner_passes_the_link_on(cast: Cast, settings: Any) -> None:
    settings.MAIL = "off"

    url = invite(cast).json()["url"]

    assert re.fullmatch(r"http://testserver/account/invitation/[\w-]{43}/", url)


def test_user_joins_with_the_account_they_have(cast: Cast, settings: Any) -> None:
    settings.REGISTRATION = "closed"  # closes new accounts, not new members
    token = token_of(invite(cast, "charlie@example.org").json()["url"])

    joined = api_client(cast.charlie).post(ACCEPT, {"token": token})
    again = api_client(cast.charlie).post(ACCEPT, {"token": token})

    assert joined.json()["id"] == str(cast.organization.pk)
    assert joined.json()["role"] == "operator"
    assert error_of(again)["code"] == "link_invalid"
    assert {item.role for item in cast.charlie.memberships.all()} == {"owner", "operator"}


@pytest.mark.parametrize(("mode", "invited", "status"), [
    ("closed", True, 403), ("invite", False, 403), ("invite", True, 201), ("open", True, 201),
])  # fmt: skip
def test_registration_modes(
    cast: Cast, settings: Any, mode: str, invited: bool, status: int
) -> None:
    settings.REGISTRATION = mode
    token = token_of(invite(cast).json()["url"])
    more = {"invitation": token} if invited else {"organization": "Own"}

    answer = api_client().post(REGISTER, {**ACCOUNT, **more})

    assert answer.status_code == status
    if status == 403:
        assert error_of(answer)["code"] == "registration_closed"
        assert Invitation.objects.open().count() == 1


def test_member_is_not_invited_and_no_role_changes_by_a_link(cast: Cast) -> None:
    token = token_of(invite(cast, "somebody@example.org", "viewer").json()["url"])

    known = invite(cast, "BOB@example.org")
    accepted = api_client(cast.alice).post(ACCEPT, {"token": token})

    assert error_of(known)["code"] == error_of(accepted)["code"] == "already_member"
    assert cast.alice.memberships.get().role == "owner"
    assert Invitation.objects.open().count() == 1


def test_invitation_ends_by_time_by_hand_and_by_a_newer_one(cast: Cast) -> None:
    first, second, third = (invite(cast).json() for _ in range(3))
    listed = api_client(cast.alice).get(address(cast)).json()["results"]

    assert [item["id"] for item in listed] == [third["id"]]
    assert "url" not in listed[0]
    for dead in (first, second):
        body = {"token": token_of(dead["url"])}
        assert error_of(api_client().post("/api/v1/auth/invitation/", body))["code"] == (
            "link_invalid"
        )
    assert Client().get(third["url"]).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert Client().get(third["url"]).status_code == 404
    gone = api_client(cast.alice).delete(address(cast, third["id"]))
    assert (gone.status_code, Client().get(third["url"]).status_code) == (204, 404)


def test_organization_mails_strangers_so_often_a_day_and_no_more(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MOST", 3)
    now = timezone.now()
    for hours in (5, 1, 0):  # taken back they count too: their mail is gone
        with time_machine.travel(now - timedelta(hours=hours), tick=False):
            row = make_invitation(cast, f"stranger{hours}@example.org")
            invitations.revoke_invitation(invitation=row, actor=cast.alice)
    own = members.create_organization(name="Another", owner=cast.alice)

    with time_machine.travel(now, tick=False):
        refused = invite(cast)
        elsewhere = api_client(cast.alice).post(
            f"/api/v1/organizations/{own.pk}/invitations/", {"email": "a@example.org"}
        )
        charlie = api_client(cast.charlie).post(
            f"/api/v1/organizations/{cast.elsewhere.pk}/invitations/", {"email": "a@example.org"}
        )
    with time_machine.travel(now + timedelta(hours=19), tick=False):
        later = invite(cast)

    assert (refused.status_code, error_of(refused)["code"]) == (429, "throttled")
    assert refused["Retry-After"] == str(19 * 3600)
    assert elsewhere.status_code == 429
    assert (charlie.status_code, later.status_code) == (201, 201)


@pytest.mark.parametrize(("field", "value"), [("email", "nobody"), ("role", "king")])
def test_wrong_invitation_names_the_field(cast: Cast, field: str, value: str) -> None:
    body = {"email": "dora@example.org", "role": "viewer", field: value}

    answer = api_client(cast.alice).post(address(cast), body)

    assert error_of(answer)["details"][0]["field"] == field


def test_refused_account_leaves_the_invitation_open(cast: Cast) -> None:
    token = token_of(invite(cast).json()["url"])

    weak = api_client().post(REGISTER, {**ACCOUNT, "password": "short", "invitation": token})
    good = api_client().post(REGISTER, {**ACCOUNT, "invitation": token})

    assert (weak.status_code, good.status_code) == (400, 201)


@pytest.mark.parametrize(("email", "must_verify"), [
    ("Dora@example.org", False), ("other@example.org", True),
])  # fmt: skip
def test_invitation_by_mail_proves_its_own_address_only(
    cast: Cast, postman: Postman, settings: Any, email: str, must_verify: bool
) -> None:
    settings.EMAIL_VERIFICATION = "required"
    postman.after(lambda: invite(cast))
    body = {**ACCOUNT, "email": email, "invitation": token_of(postman.link())}

    postman.after(lambda: api_client().post(REGISTER, body))

    assert User.objects.get(username="dora").must_verify_email is must_verify


def test_link_that_the_owner_saw_proves_no_address(cast: Cast, settings: Any) -> None:
    settings.EMAIL_VERIFICATION, settings.MAIL = "required", "printed"
    token = token_of(invite(cast).json()["url"])

    answer = api_client().post(REGISTER, {**ACCOUNT, "invitation": token})

    assert answer.json()["access"] is None


def test_page_joins_new_people_and_known_ones(cast: Cast) -> None:
    first = invite(cast).json()["url"]
    new = Client().post(first, {**ACCOUNT, "account": "new"})
    second = invite(cast, "charlie@example.org").json()["url"]
    form = {"username": "charlie", "password": PASSWORD, "account": "own"}
    wrong = Client().post(second, {**form, "password": "wrong"})
    known = Client().post(second, form)

    assert "alice&#x27;s studio" in new.content.decode()
    assert "用户名或密码错误" in wrong.content.decode()
    assert "alice&#x27;s studio" in known.content.decode()
    users = cast.organization.memberships.values_list("user__username", flat=True)
    assert set(users) == {"alice", "bob", "charlie", "dora"}


def test_page_tells_in_chinese_that_it_has_no_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Mock(side_effect=SignInBusyError(retry_after_seconds=5))
    monkeypatch.setattr("accounts.pages.sessions.check_password", busy)
    form = {"username": "charlie", "password": PASSWORD, "account": "own"}

    answer = Client().post(invite(cast, "charlie@example.org").json()["url"], form)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    with translation.override("zh-hans"):
        assert translate_reason(SignInBusyError.message) in answer.content.decode()
    assert SignInBusyError.message not in answer.content.decode()


def test_page_names_what_is_wrong_with_a_new_account(cast: Cast) -> None:
    url = invite(cast).json()["url"]

    taken = Client().post(url, {**ACCOUNT, "username": "alice", "account": "new"})

    assert taken.status_code == 200
    assert "errorlist" in taken.content.decode()
    assert Client().get(url).status_code == 200  # still open


def test_owner_invites_and_revokes_in_the_admin(cast: Cast) -> None:
    owner, operator = Client(), Client()
    owner.force_login(cast.alice)
    operator.force_login(cast.bob)
    form = {
        "organization": str(cast.organization.pk), "email": "dora@example.org", "role": "viewer",
    }  # fmt: skip
    page = "/admin/accounts/invitation/"

    assert operator.post(f"{page}add/", form).status_code == 403
    made = owner.post(f"{page}add/", form, follow=True).content.decode()
    row = Invitation.objects.get()
    owner.post(page, {"action": "revoke", "_selected_action": str(row.pk)})

    assert "http://testserver/account/invitation/" in made
    assert not Invitation.objects.open().exists()
