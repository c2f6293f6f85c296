"""Recurrence in local time, and the rows of planned airings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from livestudio.common.errors import InvalidInputError
from streams.models import Occurrence, Show
from streams.services.schedule import (
    LISTED_MAX,
    list_starts,
    materialise_occurrences,
    replace_schedule,
)
from tests.factories import Cast, error_of
from tests.streams.plans import Client, make_show, show_body

DAILY = {
    "starts_at_local": "2027-03-01T20:00:00",
    "timezone": "Asia/Shanghai",
    "rrule": "FREQ=DAILY",
}


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


def starts_of(show: Show, values: dict[str, Any], since: datetime, days: int) -> list[str]:
    replace_schedule(show, values)
    show.refresh_from_db()
    starts = list_starts(show.schedule, since, since + timedelta(days=days))
    return [f"{start:%m-%d %H:%M}" for start in starts]


def test_daily_start_is_in_the_clock_time_of_its_zone(show: Show) -> None:
    since = datetime(2027, 3, 1, tzinfo=UTC)

    assert starts_of(show, DAILY, since, 2) == ["03-01 12:00", "03-02 12:00"]


def test_start_keeps_its_local_hour_when_clocks_change(show: Show) -> None:
    values = {**DAILY, "timezone": "Europe/Berlin"}
    since = datetime(2027, 3, 27, tzinfo=UTC)

    assert starts_of(show, values, since, 2) == ["03-27 19:00", "03-28 18:00"]


def test_hour_that_does_not_exist_moves_on(show: Show) -> None:
    values = {**DAILY, "starts_at_local": "2027-03-28T02:30:00", "timezone": "Europe/Berlin"}

    assert starts_of(show, values, datetime(2027, 3, 28, tzinfo=UTC), 1) == ["03-28 01:30"]


def test_weekly_rule_and_exdates(show: Show) -> None:
    values = {
        **DAILY,
        "rrule": "FREQ=WEEKLY;BYDAY=MO,WE",
        "exdates": ["2027-03-03T20:00:00"],
    }

    assert starts_of(show, values, datetime(2027, 3, 1, tzinfo=UTC), 8) == [
        "03-01 12:00",
        "03-08 12:00",
    ]


def test_schedule_without_rule_airs_once(show: Show) -> None:
    values = {**DAILY, "rrule": ""}

    assert starts_of(show, values, datetime(2027, 2, 1, tzinfo=UTC), 300) == ["03-01 12:00"]
    assert starts_of(show, values, datetime(2027, 4, 1, tzinfo=UTC), 300) == []


def test_list_of_starts_is_capped(show: Show) -> None:
    since = datetime(2027, 3, 1, tzinfo=UTC)

    assert len(starts_of(show, DAILY, since, 5000)) == LISTED_MAX


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts_at_local", "2027-03-01T20:00:00Z"),
        ("starts_at_local", "2027-03-01T20:00:00+08:00"),
        ("starts_at_local", "tomorrow"),
        ("starts_at_local", "1899-01-01T00:00:00"),
        ("timezone", "Mars/Base"),
        ("timezone", "../etc/passwd"),
        ("timezone", ""),
        ("rrule", "FREQ=SECONDLY"),
        ("rrule", "FREQ=HOURLY"),
        ("rrule", "BYDAY=MO"),
        ("rrule", "FREQ=DAILY;BYSETPOS=2"),
        ("rrule", "FREQ=WEEKLY;BYDAY=XX"),
        ("rrule", "FREQ=DAILY;INTERVAL=0"),
        ("rrule", "FREQ=DAILY;INTERVAL=999999999999"),
        ("rrule", "FREQ=DAILY;COUNT=many"),
        ("rrule", "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=5"),
        ("rrule", "FREQ=DAILY\nRRULE:FREQ=DAILY"),
        ("exdates", ["soon"]),
        ("exdates", "2027-03-01"),
        ("exdates", ["2027-03-01T20:00:00"] * 367),
        ("catch_up", "hurry"),
    ],
)
def test_schedule_refuses_bad_value_naming_the_field(
    cast: Cast, alice: Client, field: str, value: Any
) -> None:
    body = show_body(cast.organization, schedule={**DAILY, field: value})

    answer = alice.post("shows/", body)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"].startswith(f"schedule.{field}")
    assert not Show.objects.exists()


def test_schedule_is_set_read_and_cleared(cast: Cast, alice: Client) -> None:
    show = alice.post("shows/", show_body(cast.organization, schedule=DAILY)).json()

    assert show["schedule"] == {**DAILY, "exdates": [], "catch_up": "skip"}
    kept = alice.patch(f"shows/{show['id']}/", {"title": "New"}).json()
    cleared = alice.patch(f"shows/{show['id']}/", {"schedule": None}).json()
    assert (kept["schedule"]["rrule"], cleared["schedule"]) == ("FREQ=DAILY", None)


def test_occurrences_are_listed_for_a_window(cast: Cast, alice: Client) -> None:
    show = alice.post("shows/", show_body(cast.organization, schedule=DAILY)).json()
    path = f"shows/{show['id']}/occurrences/"

    answer = alice.get(path, **{"from": "2027-03-05T00:00:00Z", "to": "2027-03-07T00:00:00Z"})

    rows = answer.json()["results"]
    assert [row["starts_at"] for row in rows] == [
        "2027-03-05T12:00:00.000Z",
        "2027-03-06T12:00:00.000Z",
    ]
    assert rows[0]["starts_at_local"] == "2027-03-05T20:00:00"
    for query in (
        {"from": "soon"},
        {"from": "2027-03-05T00:00:00"},
        {"from": "2027-03-05T00:00:00Z", "to": "2027-03-04T00:00:00Z"},
        {"from": "2027-03-05T00:00:00Z", "to": "2029-03-04T00:00:00Z"},
        {"to": "2027-02-30T00:00:00Z"},
    ):
        assert alice.get(path, **query).status_code == 400, query


@pytest.mark.database
def test_occurrences_get_rows_once(show: Show) -> None:
    replace_schedule(show, DAILY)
    now = datetime(2027, 3, 1, tzinfo=UTC)

    first = materialise_occurrences(show, now)
    again = materialise_occurrences(show, now + timedelta(hours=1))

    assert [row.starts_at.day for row in first] == [1, 2]
    assert [row.pk for row in again] == [row.pk for row in first]
    assert Occurrence.objects.count() == 2


def test_new_schedule_drops_planned_airings_only(show: Show) -> None:
    replace_schedule(show, DAILY)
    rows = materialise_occurrences(show, datetime(2027, 3, 1, tzinfo=UTC))
    Occurrence.objects.filter(pk=rows[0].pk).update(state="started")

    replace_schedule(show, None)

    assert [row.pk for row in Occurrence.objects.all()] == [rows[0].pk]


def test_bad_schedule_changes_nothing(show: Show) -> None:
    replace_schedule(show, DAILY)

    with pytest.raises(InvalidInputError):
        replace_schedule(show, {**DAILY, "rrule": "FREQ=YEARLY"})

    show.refresh_from_db()
    assert show.schedule.rrule == "FREQ=DAILY"
