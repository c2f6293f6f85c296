"""Who has lost a right keeps nothing that stands for it; of two who decide at once, one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Membership, User
from accounts.roles import Role
from accounts.services import members, organizations
from livestudio.common.errors import DomainError
from tests.factories import PASSWORD, Cast, add_member, api_client, error_of, make_cast
from tests.forks import at_once, shared_database

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ACCEPT = "/api/v1/auth/invitation/accept/"
VOICE = {"name": "Morning", "engine": "espeak", "language": "en-US"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def eve(cast: Cast) -> User:
    """Another owner of Alice's organization, who is going to lose that."""
    return add_member(cast.organization, Role.OWNER, "eve")


def remove(cast: Cast, user: User) -> None:
    membership = Membership.objects.get(organization=cast.organization, user=user)
    members.remove_member(membership=membership, actor=cast.alice)


def demote(cast: Cast, user: User) -> None:
    members.set_role(organization=cast.organization, user=user, role=Role.VIEWER, actor=cast.alice)


def disable(cast: Cast, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete(cast: Cast, user: User) -> None:
    user.delete()


@pytest.mark.parametrize("lose", [remove, demote, disable, delete])
def test_invitation_ends_with_the_right_of_who_invites(cast: Cast, eve: User, lose: Any) -> None:
    path = f"/api/v1/organizations/{cast.organization.pk}/invitations/"
    body = {"email": "own@example.org", "role": "owner"}
    token = api_client(eve).post(path, body).json()["url"].strip("/").rpartition("/")[2]

    lose(cast, eve)
    joined = api_client(cast.charlie).post(ACCEPT, {"token": token})
    seen = api_client().post("/api/v1/auth/invitation/", {"token": token})

    assert (joined.status_code, error_of(joined)["code"]) == (400, "link_invalid")
    assert error_of(seen)["code"] == "link_invalid"
    assert not Membership.objects.filter(user=cast.charlie, organization=cast.organization)


@pytest.mark.parametrize("lose", [remove, demote, disable, delete])
def test_calendar_address_ends_with_the_right_of_who_made_it(
    cast: Cast, eve: User, lose: Any
) -> None:
    path = f"/api/v1/organizations/{cast.organization.pk}/calendar/"
    url = api_client(eve).post(path).json()["url"].removeprefix("http://testserver")
    nobody = api_client()

    assert nobody.get(url).status_code == 200
    lose(cast, eve)

    assert nobody.get(url).status_code == 404
    assert api_client(cast.alice).get(path).status_code == 404
    renewed = api_client(cast.alice).post(path).json()["url"]
    assert nobody.get(renewed.removeprefix("http://testserver")).status_code == 200


def test_kept_answers_end_with_the_membership(cast: Cast, eve: User) -> None:
    client = api_client(eve, idempotency_key="once", x_organization=str(cast.organization.pk))
    first = client.post("/api/v1/voices/", VOICE)

    remove(cast, eve)
    again = client.post("/api/v1/voices/", VOICE)

    assert first.status_code == 201
    assert again.status_code == 404, again.content


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(cast: Cast, eve: User, tmp_path: Path) -> None:
    rows = list(Membership.objects.filter(organization=cast.organization, role=Role.OWNER))
    assert len(rows) == 2

    def leave(number: int) -> int:
        try:
            organizations.leave_organization(membership=rows[number])
        except DomainError:
            return 0
        return 1

    with shared_database(tmp_path):
        left = at_once(leave, 2)
        owners = Membership.objects.filter(organization=cast.organization, role=Role.OWNER).count()

    assert (sorted(left), owners) == ([0, 1], 1)


@pytest.mark.django_db(transaction=True)
def test_of_two_transfers_at_once_one_is_made(cast: Cast, tmp_path: Path) -> None:
    heirs = [cast.bob, add_member(cast.organization, Role.PRODUCER, "dora")]
    rows = [Membership.objects.select_related("user").get(user=heir) for heir in heirs]

    def transfer(number: int) -> int:
        try:
            organizations.transfer_organization(
                organization=cast.organization, member=rows[number], actor=cast.alice
            )
        except DomainError:
            return 0
        return 1

    with shared_database(tmp_path):
        made = at_once(transfer, 2)
        owners = Membership.objects.filter(organization=cast.organization, role=Role.OWNER).count()

    assert (sorted(made), owners) == ([0, 1], 1)


@pytest.mark.parametrize("name", ["álice", "ＡＬＩＣＥ", "alice\u200b", "ali\u0301ce"])
def test_no_other_way_to_write_a_name_signs_in(cast: Cast, name: str) -> None:
    """To MySQL these are "alice"; each would have five guesses of its own."""
    body = {"username": name, "password": PASSWORD}

    answer = api_client().post("/api/v1/auth/token/", body)

    assert (answer.status_code, error_of(answer)["code"]) == (401, "authentication_failed")


def test_keys_that_differ_in_case_are_two_requests(cast: Cast) -> None:
    answers = [
        api_client(cast.alice, idempotency_key=key).post("/api/v1/voices/", VOICE)
        for key in ("Key-a", "key-A", "Key-a")
    ]

    # The second is another request, refused by itself: the name is taken.
    assert [answer.status_code for answer in answers] == [201, 400, 201]
    replayed = [answer.has_header("Idempotency-Replayed") for answer in answers]
    assert replayed == [False, False, True]
