"""The admin's page for the life of an organization, and which organization the admin shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import AuditEntry, Membership, Organization, OrganizationExport
from accounts.roles import SYSTEM, Role
from accounts.services import members
from tests.factories import PASSWORD, Cast, UserFactory, api_client, make_cast
from tests.streams.plans import make_show, put_live

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def signed_in(user: Any) -> Browser:
    browser = Browser(headers={"Accept-Language": "en"})
    browser.force_login(user)
    return browser


def life(cast: Cast) -> str:
    return f"/admin/accounts/organization/{cast.organization.pk}/life/"


def test_owner_exports_and_downloads_in_the_admin(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert (
        life(cast)
        in browser.get(
            f"/admin/accounts/organization/{cast.organization.pk}/change/"
        ).content.decode()
    )

    asked = browser.post(life(cast), {"step": "export"})
    twice = browser.post(life(cast), {"step": "export"})
    call_command("do_chores")
    page = browser.get(life(cast)).content.decode()

    assert (asked.status_code, twice.status_code) == (302, 409)
    assert "is being made already" in twice.content.decode()
    export = OrganizationExport.objects.get()
    address = page.partition(f'<a href="/api/v1/organizations/{cast.organization.pk}/export/')[2]
    assert address.startswith(f"{export.pk}/file/?signature=")
    path = f"/api/v1/organizations/{cast.organization.pk}/export/{address.partition(chr(34))[0]}"
    file = api_client().get(path)
    assert b"".join(file.streaming_content).startswith(b"PK")
    file.close()


def test_owner_deletes_with_grace_and_takes_it_back(cast: Cast) -> None:
    browser, name = signed_in(cast.alice), cast.organization.name
    form = {"step": "delete", "name": name, "password": PASSWORD}

    wrong = [
        browser.post(life(cast), {**form, "password": "not-it"}),
        browser.post(life(cast), {**form, "name": "Another", "without_export": "on"}),
        browser.post(life(cast), form),
        browser.post(life(cast), {**form, "name": ""}),
    ]
    texts = [answer.content.decode() for answer in wrong]

    assert [answer.status_code for answer in wrong] == [401, 400, 409, 400]
    assert "The password is wrong." in texts[0]
    assert "Type the name of the organization as it is written." in texts[1]
    assert "Export the organization first" in texts[2]
    assert Organization.objects.get(pk=cast.organization.pk).delete_after is None

    browser.post(life(cast), {**form, "without_export": "on"})
    ending = Organization.objects.get(pk=cast.organization.pk)
    page = browser.get(life(cast)).content.decode()
    assert ending.delete_after is not None
    assert ending.delete_after > timezone.now() + timedelta(days=6)
    assert "with everything in it" in page
    assert 'name="password"' not in page

    browser.post(life(cast), {"step": "restore"})
    assert Organization.objects.get(pk=cast.organization.pk).delete_after is None


def test_page_is_for_owners_of_this_organization(cast: Cast) -> None:
    assert signed_in(cast.bob).get(life(cast)).status_code == 403
    assert signed_in(cast.charlie).get(life(cast)).status_code == 404


def test_superuser_deletes_with_files_but_not_what_is_on_air(cast: Cast) -> None:
    put_live(cast)
    root = UserFactory(is_superuser=True, is_staff=True)
    browser = signed_in(root)

    def delete(organization: Organization) -> Any:
        address = f"/admin/accounts/organization/{organization.pk}/delete/"
        return browser.post(address, {"post": "yes"}, follow=True)

    refused, done = delete(cast.organization), delete(cast.elsewhere)

    assert "is on air" in refused.content.decode()
    assert done.status_code == 200
    assert list(Organization.objects.all()) == [cast.organization]
    assert not Membership.objects.filter(user=cast.charlie).exists()


def test_admin_is_narrowed_to_one_organization_and_back(cast: Cast) -> None:
    members.set_role(organization=cast.elsewhere, user=cast.alice, role=Role.PRODUCER, actor=SYSTEM)
    make_show(cast.organization, cast.alice, title="At home")
    make_show(cast.elsewhere, cast.charlie, title="Far away")
    browser = signed_in(cast.alice)

    def titles() -> set[str]:
        page = browser.get("/admin/streams/show/").content.decode()
        return {title for title in ("At home", "Far away") if title in page}

    def choose(organization: str) -> Any:
        form = {"organization": organization, "next": "https://evil.test/"}
        return browser.post("/admin/organization/", form)

    assert titles() == {"At home", "Far away"}
    assert choose(str(cast.elsewhere.pk))["Location"] == "/admin/"
    assert titles() == {"Far away"}
    assert browser.get("/admin/streams/show/add/").status_code == 200
    assert browser.get("/admin/webhooks/webhook/").status_code == 403  # no owner there
    choose("")
    assert titles() == {"At home", "Far away"}


def test_one_who_left_the_chosen_organization_sees_the_others(cast: Cast) -> None:
    members.set_role(organization=cast.elsewhere, user=cast.alice, role=Role.PRODUCER, actor=SYSTEM)
    make_show(cast.organization, cast.alice, title="At home")
    browser = signed_in(cast.alice)
    browser.post("/admin/organization/", {"organization": str(cast.elsewhere.pk)})

    Membership.objects.filter(user=cast.alice, organization=cast.elsewhere).delete()

    assert "At home" in browser.get("/admin/streams/show/").content.decode()


@pytest.mark.parametrize("chosen", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_foreign_organization_cannot_be_chosen(cast: Cast, chosen: str) -> None:
    make_show(cast.organization, cast.alice, title="At home")
    browser = signed_in(cast.alice)

    for organization in (chosen, str(cast.elsewhere.pk)):
        browser.post("/admin/organization/", {"organization": organization})

    page = browser.get("/admin/streams/show/").content.decode()
    assert "At home" in page
    assert "organization-choice" not in page  # one organization: nothing to choose


def test_new_name_given_in_the_admin_leaves_a_trail(cast: Cast) -> None:
    before = cast.organization.name
    page = f"/admin/accounts/organization/{cast.organization.pk}/change/"

    signed_in(cast.alice).post(page, {"name": " Night shop "})

    cast.organization.refresh_from_db()
    assert cast.organization.name == "Night shop"
    entry = AuditEntry.objects.get(action="accounts.organization.renamed")
    assert entry.data == {"before": before, "name": "Night shop"}
