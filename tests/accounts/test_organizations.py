"""Which organization a request is about, and what each role may do there."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import AuditEntry, Organization, User
from accounts.roles import ALL_PERMISSIONS, PERMISSIONS, SYSTEM, Role, has_permission
from accounts.services import members
from avatars.models import Avatar
from livestudio.common.errors import ForbiddenError, InvalidInputError
from tests.factories import (
    UserFactory,
    add_member,
    api_client,
    error_of,
    make_api_key,
    make_cast,
    make_organization,
)
from voices.models import Voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_member_of_two_organizations_must_name_one() -> None:
    cast = make_cast()
    members.set_role(
        organization=cast.elsewhere, user=cast.alice, role=Role.VIEWER, actor=cast.charlie
    )

    unnamed = api_client(cast.alice).get("/api/v1/voices/")
    named = api_client(cast.alice, x_organization=str(cast.elsewhere.pk)).get("/api/v1/voices/")

    assert unnamed.status_code == 400
    assert error_of(unnamed)["code"] == "organization_required"
    assert named.status_code == 200


def test_me_lists_all_organizations_in_as_many_queries_as_one(
    django_assert_max_num_queries: Any,
) -> None:
    cast = make_cast()
    client = api_client(cast.alice)
    for _ in range(5):
        make_organization(cast.alice)

    with django_assert_max_num_queries(3):
        organizations = client.get("/api/v1/me/").json()["organizations"]

    assert len(organizations) == 6


@pytest.mark.parametrize("wanted", ["not-a-uuid", "018f4b1e-0000-7000-8000-000000000000"])
def test_unknown_organization_is_not_found(wanted: str) -> None:
    cast = make_cast()

    answer = api_client(cast.alice, x_organization=wanted).get("/api/v1/voices/")

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"


def test_organization_of_others_is_not_found() -> None:
    cast = make_cast()

    answer = api_client(cast.charlie, x_organization=str(cast.organization.pk)).get(
        "/api/v1/voices/"
    )

    assert answer.status_code == 404


def test_user_without_organization_is_told_so() -> None:
    answer = api_client(UserFactory()).get("/api/v1/voices/")

    assert answer.status_code == 403
    assert "组织" in error_of(answer)["message"]


def test_roles_hold_each_what_the_lower_ones_hold() -> None:
    ordered = [PERMISSIONS[role] for role in (Role.VIEWER, Role.OPERATOR, Role.PRODUCER)]

    assert ordered[0] < ordered[1] < ordered[2] < PERMISSIONS[Role.OWNER] == ALL_PERMISSIONS
    assert "broadcast.steer" not in PERMISSIONS[Role.VIEWER]
    assert "show.edit" not in PERMISSIONS[Role.OPERATOR]


def test_permission_with_a_typo_is_an_error_not_a_refusal() -> None:
    cast = make_cast()

    with pytest.raises(LookupError, match="show.edti"):
        has_permission(cast.alice, "show.edti", cast.organization)


def test_only_owners_change_roles() -> None:
    cast = make_cast()

    with pytest.raises(ForbiddenError):
        members.set_role(
            organization=cast.organization, user=cast.bob, role=Role.OWNER, actor=cast.bob
        )
    members.set_role(
        organization=cast.organization, user=cast.bob, role=Role.PRODUCER, actor=cast.alice
    )

    assert has_permission(cast.bob, "show.edit", cast.organization)
    assert AuditEntry.objects.filter(actor=cast.alice, data={"role": "producer"}).exists()


def test_last_owner_stays_owner() -> None:
    cast = make_cast()

    with pytest.raises(InvalidInputError):
        members.set_role(
            organization=cast.organization, user=cast.alice, role=Role.VIEWER, actor=cast.alice
        )
    with pytest.raises(InvalidInputError):
        members.remove_member(membership=cast.alice.memberships.get(), actor=SYSTEM)

    assert cast.alice.memberships.get().role == Role.OWNER


def test_those_who_work_may_open_the_admin_and_lose_it_with_their_role() -> None:
    cast = make_cast()
    viewer = add_member(cast.organization, Role.VIEWER)

    assert cast.alice.is_staff
    assert cast.bob.is_staff
    assert not viewer.is_staff
    members.remove_member(membership=cast.bob.memberships.get(), actor=cast.alice)
    assert not cast.bob.is_staff
    assert not has_permission(cast.bob, "show.view", cast.organization)


def test_owner_lists_changes_and_removes_members() -> None:
    cast = make_cast()
    make_api_key(cast)
    client = api_client(cast.alice)
    address = f"/api/v1/organizations/{cast.organization.pk}/members/"

    listed = {row["user"]["username"]: row for row in client.get(address).json()["results"]}
    own, bobs = (f"{address}{listed[name]['id']}/" for name in ("alice", "bob"))
    raised = client.patch(bobs, {"role": "producer"})
    wrong = client.patch(bobs, {"role": "king"})
    left = client.delete(own)
    removed = client.delete(bobs)

    assert {name: row["role"] for name, row in listed.items()} == {
        "alice": "owner",
        "bob": "operator",
    }
    assert raised.json()["role"] == "producer"
    assert (wrong.status_code, left.status_code, removed.status_code) == (400, 400, 204)
    assert not has_permission(cast.bob, "show.view", cast.organization)


def test_member_of_another_organization_is_not_found() -> None:
    cast = make_cast()
    row = cast.bob.memberships.get()
    address = f"/api/v1/organizations/{cast.elsewhere.pk}/members/{row.pk}/"

    answer = api_client(cast.charlie).delete(address)

    assert answer.status_code == 404
    assert cast.bob.memberships.exists()


def test_organization_made_in_the_admin_owns_presenter_and_voices() -> None:
    root = UserFactory(is_superuser=True, is_staff=True)
    admin = Client()
    admin.force_login(root)

    answer = admin.post("/admin/accounts/organization/add/", {"name": "Tea shop"})

    assert answer.status_code == 302
    made = Organization.objects.get()
    assert made.memberships.get().user == root
    assert Avatar.objects.for_organization(made).exists()
    assert Voice.objects.for_organization(made).count() == 4


def test_createsuperuser_gives_an_organization_with_presenter_and_voices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-enough-secret")
    for name in ("root", "second"):
        call_command(
            "createsuperuser", username=name, email=f"{name}@example.org", interactive=False,
            verbosity=0,
        )  # fmt: skip

    names = [user.memberships.get().organization.name for user in User.objects.order_by("pk")]

    assert names == ["LiveStudio", "second"]
    for organization in Organization.objects.all():
        assert Avatar.objects.for_organization(organization).exists()
        assert Voice.objects.for_organization(organization).exists()


def test_inactive_user_may_do_nothing() -> None:
    cast = make_cast()
    cast.alice.is_active = False

    assert not has_permission(cast.alice, "show.view", cast.organization)
