"""The audit trail as its readers get it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import record
from accounts.models import AuditEntry, User
from accounts.roles import SYSTEM
from tests.factories import PASSWORD, Cast, UserFactory, api_client, error_of, make_api_key
from tests.streams.plans import make_show

pytestmark = [pytest.mark.django_db, pytest.mark.database]
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1+1", '=HYPERLINK("http://x")')


def address(cast: Cast) -> str:
    return f"/api/v1/organizations/{cast.organization.pk}/audit/"


def actions(cast: Cast, **query: Any) -> list[str]:
    answer = api_client(cast.alice).get(address(cast), query)
    assert answer.status_code == 200, answer.content
    return [entry["action"] for entry in answer.json()["results"]]


def test_owner_reads_who_did_what_newest_first(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)

    entry = api_client(cast.alice).get(address(cast)).json()["results"][0]

    assert entry["action"] == "streams.show.created"
    assert entry["actor"]["username"] == "alice"
    assert (entry["object_type"], entry["object_id"]) == ("streams.show", str(show.pk))


def test_filters_narrow_by_actor_verb_object_and_time(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    record(SYSTEM, "streams.show.archived", show)
    record(cast.bob, "streams.broadcast.started", show)
    old = AuditEntry.objects.filter(action="streams.show.archived")
    old.update(created_at=timezone.now() - timedelta(days=2))
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()

    assert actions(cast, actor="Bob") == ["streams.broadcast.started"]
    assert actions(cast, action="streams.show") == ["streams.show.created", "streams.show.archived"]
    assert "streams.show.archived" in actions(cast, actor="system")
    assert len(actions(cast, object=str(show.pk))) == 3
    assert actions(cast, object_type="streams.show", until=yesterday) == ["streams.show.archived"]
    assert "streams.show.archived" not in actions(cast, since=yesterday)


def test_wrong_time_is_told(cast: Cast) -> None:
    answer = api_client(cast.alice).get(address(cast), {"since": "yesterday"})

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "since"


def test_other_organizations_entries_are_not_in_it(cast: Cast) -> None:
    make_show(cast.elsewhere, cast.charlie, title="Secret plan")

    table = api_client(cast.alice).get(f"{address(cast)}csv/").content.decode()

    assert "charlie" not in table
    assert "Secret plan" not in table


def test_table_holds_no_formula(cast: Cast) -> None:
    for text in FORMULAS:
        make_api_key(cast)
        record(cast.alice, text, cast.organization, data={"title": text})

    answer = api_client(cast.alice).get(f"{address(cast)}csv/")

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert answer["Content-Type"].startswith("text/csv")
    assert len(rows) > 2 * len(FORMULAS)
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip(" ")[:1] in set("=+-@\t\r\n")]
    assert {f"'{text}" for text in FORMULAS} <= set(cells)


def test_what_superusers_do_to_accounts_is_in_the_trail(cast: Cast) -> None:
    root = UserFactory(is_superuser=True, is_staff=True)
    browser, page = Client(), "/admin/accounts/user/"
    browser.force_login(root)
    secret = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}

    browser.post(f"{page}add/", {"username": "dora", "email": "d@example.org", **secret})
    dora = User.objects.get(username="dora")
    browser.post(
        f"{page}{dora.pk}/change/",
        {"username": "dora", "email": "d@example.org", "is_active": "on", "is_superuser": "on"},
    )
    browser.post(f"{page}{dora.pk}/password/", secret)
    browser.post(f"{page}{dora.pk}/delete/", {"post": "yes"})

    entries = AuditEntry.objects.filter(object_id=str(dora.pk), actor=root).order_by("created_at")
    assert [(entry.action, entry.data.get("fields")) for entry in entries] == [
        ("accounts.user.created", None),
        ("accounts.user.changed", ["Superuser status"]),
        ("accounts.user.changed", ["password"]),
        ("accounts.user.deleted", None),
    ]
    assert {entry.data["username"] for entry in entries} == {"dora"}
    assert PASSWORD not in str([entry.data for entry in entries])
