"""Organizations that somebody opens beside the first one."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Organization
from accounts.roles import Role
from accounts.services.organizations import open_organization
from tests.factories import PASSWORD, Cast, add_member, api_client, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_user_opens_a_second_organization_and_names_it_in_the_header(cast: Cast) -> None:
    made = api_client(cast.alice).post("/api/v1/organizations/", {"name": " Second studio "})
    key = made.json()["id"]
    voices = api_client(cast.alice, x_organization=key).get("/api/v1/voices/")

    assert made.status_code == 201
    assert made.json()["name"] == "Second studio"
    assert len(voices.json()["results"]) == 4
    names = [
        row["name"] for row in api_client(cast.alice).get("/api/v1/me/").json()["organizations"]
    ]
    assert sorted(names) == ["Second studio", cast.organization.name]


def test_nobody_owns_more_organizations_than_the_site_allows(cast: Cast, settings: Any) -> None:
    """Neither opened nor handed over: each has the quotas of a plan of its own."""
    settings.ORGANIZATIONS_PER_OWNER = 2
    client, address = api_client(cast.alice), "/api/v1/organizations/"
    heir = add_member(cast.organization, Role.PRODUCER)
    for name in ("First", "Second"):
        open_organization(name=name, actor=heir)

    answers = [client.post(address, {"name": name}) for name in ("Second", "Third")]
    body = {"member": str(heir.memberships.get(role=Role.PRODUCER).pk), "password": PASSWORD}
    handed_over = client.post(f"{address}{cast.organization.pk}/transfer/", body)
    cast.alice.is_superuser = True
    cast.alice.save()
    unbounded = client.post(address, {"name": "Fourth"})

    assert [answer.status_code for answer in answers] == [201, 409]
    assert error_of(answers[1])["code"] == "too_many_organizations"
    assert error_of(handed_over)["code"] == "too_many_organizations"
    assert heir.memberships.get(organization=cast.organization).role == Role.PRODUCER
    assert unbounded.status_code == 201


def test_no_organization_is_opened_where_registration_is_closed(cast: Cast, settings: Any) -> None:
    settings.REGISTRATION = "invite"

    answer = api_client(cast.alice).post("/api/v1/organizations/", {"name": "Second"})

    assert answer.status_code == 403
    assert Organization.objects.count() == 2
