"""The lists of the admin take as many queries for many rows as for few."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from accounts.services import two_factor
from accounts.services.api_keys import ApiKeyDraft, create_api_key
from accounts.services.invitations import invite
from tests.factories import Cast, add_member

pytestmark = pytest.mark.django_db
LISTS = ("user", "membership", "invitation", "apikey", "consent", "auditentry", "organization")


def add_rows(cast: Cast, count: int) -> None:
    """Owners, each of whom has made a key, invited somebody and switched codes on."""
    own = cast.organization
    for number in range(count):
        owner = add_member(own, Role.OWNER)
        create_api_key(
            organization=own, draft=ApiKeyDraft("Shop", frozenset({"show.edit"})), actor=owner
        )
        invite(
            organization=own, email=f"{owner.username}_{number}@example.org", role=Role.VIEWER,
            actor=owner, base_url="http://testserver",
        )  # fmt: skip
        two_factor.enrol(user=owner)


def queries(browser: Client, name: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(f"/admin/accounts/{name}/").status_code == 200
    return len(captured)


def test_lists_of_people_and_keys_take_as_many_queries_for_ten_as_for_two(cast: Cast) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    add_rows(cast, 2)
    for name in LISTS:
        browser.get(f"/admin/accounts/{name}/")  # what is read once in a process
    few = {name: queries(browser, name) for name in LISTS}
    add_rows(cast, 8)

    assert {name: queries(browser, name) for name in LISTS} == few
