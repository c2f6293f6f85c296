"""Pages of the admin show and take times in the zone of the organization; the API is in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Consent, Organization, User
from accounts.roles import SYSTEM, Role
from accounts.services import members
from livestudio.common.admin_site import CHOSEN_ORGANIZATION
from metering.models import OrganizationQuota
from streams.models import BroadcastEvent
from tests.factories import Cast, UserFactory, api_client
from tests.streams.plans import put_live

pytestmark = [pytest.mark.django_db, pytest.mark.database]

KEYS = "/admin/accounts/apikey/add/"
# 01:30 in Berlin for the second time: the clocks went back half an hour ago.
TWICE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def use_zone(organization: Organization, name: str) -> None:
    OrganizationQuota.objects.update_or_create(
        organization=organization, defaults={"timezone": name}
    )


@pytest.fixture
def alice(cast: Cast) -> Client:
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(cast.alice)
    return browser


def make_consent(cast: Cast, ends: datetime) -> Consent:
    values = {"subject": "Lin Xia", "scope": "face", "expires_at": ends}
    consent: Consent = Consent.objects.create(organization=cast.organization, **values)
    return consent


def key_form(cast: Cast, day: str, hour: str) -> dict[str, str]:
    return {
        "organization": str(cast.organization.pk), "name": "Shop system", "scopes": "show.edit",
        "expires_at_0": day, "expires_at_1": hour,
    }  # fmt: skip


def test_form_shows_the_organization_s_time_and_gives_the_same_moment_back(
    cast: Cast, alice: Client
) -> None:
    ends = datetime(2027, 1, 1, 16, 30, 5, 250_000, tzinfo=UTC)
    consent = make_consent(cast, ends)
    address = f"/admin/accounts/consent/{consent.pk}/change/"

    page = alice.get(address).content.decode()
    saved = alice.post(
        address, {"territory": "CN", "expires_at_0": "2027-01-02", "expires_at_1": "00:30:05"}
    )

    assert "Times in Asia/Shanghai" in page
    assert 'value="2027-01-02"' in page
    assert 'value="00:30:05"' in page
    assert 'data-admin-utc-offset="28800"' in page
    assert saved.status_code == 302
    consent.refresh_from_db()
    assert (consent.territory, consent.expires_at) == ("CN", ends)


def test_time_that_is_typed_is_one_of_the_organization_s_zone(cast: Cast, alice: Client) -> None:
    use_zone(cast.organization, "America/New_York")

    alice.post(KEYS, key_form(cast, "2037-07-01", "20:00"))

    assert ApiKey.objects.get().expires_at == datetime(2037, 7, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("day", ["2037-03-29", "2037-10-25"])
def test_time_that_the_clocks_leave_out_or_have_twice_is_refused_in_words(
    cast: Cast, alice: Client, day: str
) -> None:
    use_zone(cast.organization, "Europe/Berlin")

    refused = alice.post(KEYS, key_form(cast, day, "02:30"))

    assert refused.status_code == 200
    assert "Clocks change then in Europe/Berlin" in refused.content.decode()
    assert not ApiKey.objects.exists()


def test_moment_in_the_hour_that_comes_twice_stays_when_it_is_not_touched(
    cast: Cast, alice: Client
) -> None:
    use_zone(cast.organization, "Europe/Berlin")
    consent = make_consent(cast, TWICE)
    address = f"/admin/accounts/consent/{consent.pk}/change/"
    row = {"territory": "EU", "expires_at_0": "2027-10-31", "expires_at_1": "02:30:00"}

    page = alice.get(address).content.decode()
    saved = alice.post(address, row)

    assert 'value="02:30:00"' in page
    assert saved.status_code == 302
    consent.refresh_from_db()
    assert (consent.territory, consent.expires_at) == ("EU", TWICE)


def test_chosen_organization_decides_and_a_foreign_one_does_not(cast: Cast, alice: Client) -> None:
    use_zone(cast.organization, "Europe/Berlin")
    use_zone(cast.elsewhere, "America/New_York")

    def zone_when(chosen: object) -> str:
        session = alice.session
        session[CHOSEN_ORGANIZATION] = str(chosen)
        session.save()
        page = alice.get("/admin/").content.decode()
        return page.partition("Times in ")[2].partition("<")[0]

    assert zone_when(cast.organization.pk) == "Europe/Berlin"
    assert zone_when(cast.elsewhere.pk) == "Europe/Berlin"
    assert zone_when("nonsense") == "Europe/Berlin"
    members.set_role(organization=cast.elsewhere, user=cast.alice, role=Role.OPERATOR, actor=SYSTEM)
    assert zone_when(cast.elsewhere.pk) == "America/New_York"


def test_superuser_without_an_organization_reads_the_chosen_one_s_time(cast: Cast) -> None:
    use_zone(cast.elsewhere, "America/New_York")
    browser = Client(headers={"Accept-Language": "en"})
    operator: User = UserFactory(is_staff=True, is_superuser=True)
    browser.force_login(operator)

    before = browser.get("/admin/").content.decode()
    browser.post("/admin/organization/", {"organization": str(cast.elsewhere.pk)})
    after = browser.get("/admin/").content.decode()

    assert "Times in Asia/Shanghai" in before
    assert "Times in America/New_York" in after


def test_zone_that_this_machine_does_not_know_closes_no_page(cast: Cast, alice: Client) -> None:
    use_zone(cast.organization, "Mars/Olympus")

    page = alice.get("/admin/")

    assert (page.status_code, "Times in UTC" in page.content.decode()) == (200, True)


def test_events_of_a_broadcast_are_told_in_the_organization_s_time(
    cast: Cast, alice: Client
) -> None:
    broadcast = put_live(cast)
    at = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)
    BroadcastEvent.objects.create(
        broadcast=broadcast, sequence=1, kind="runner.started", at=at, data={}
    )

    page = alice.get(f"/admin/streams/broadcast/{broadcast.pk}/change/").content.decode()

    assert "20:34:56" in page
    assert "12:34:56" not in page


def test_api_and_what_comes_after_a_page_stay_in_utc(cast: Cast, alice: Client) -> None:
    make_consent(cast, TWICE)

    alice.get("/admin/")
    rows = api_client(cast.alice).get("/api/v1/consents/").json()["results"]

    assert rows[0]["expires_at"] == "2027-10-31T01:30:00Z"
    assert timezone.get_current_timezone_name() == settings.TIME_ZONE == "UTC"
    assert Client().get("/account/password/").status_code == 200
