"""Recurrence in local time, and the rows of planned airings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from livestudio.common.errors import InvalidInputError
from streams.models import Occurrence, Schedule, Show
from streams.services.lifecycle import start_broadcast
from streams.services.schedule import (
    LISTED_MAX,
    LOOK_BACK,
    MATERIALISE_AHEAD,
    list_starts,
    materialise,
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
        ("rrule", "FREQ=DAILY;COUNT=1001"),
        ("rrule", "FREQ=DAILY;COUNT=3;UNTIL=20280101"),
        ("rrule", "FREQ=DAILY;UNTIL=20260101"),
        ("rrule", "FREQ=DAILY;UNTIL=soon"),
        ("rrule", "FREQ=DAILY;UNTIL=20271399"),
        ("rrule", "FREQ=DAILY;FREQ=WEEKLY"),
        ("rrule", "FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=12;BYDAY=XX"),
        ("rrule", "FREQ=MINUTELY;INTERVAL=1"),
        ("timezone", "localtime"),
        ("timezone", "asia/shanghai"),
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


def occurrences(client: Client, show: Show, **query: str) -> list[dict[str, Any]]:
    answer = client.get(f"shows/{show.pk}/occurrences/", **query)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def test_missed_airing_is_listed_with_its_reason_after_the_schedule_went(
    show: Show, alice: Client
) -> None:
    replace_schedule(show, {**DAILY, "starts_at_local": "2026-01-01T20:00:00"})
    at = timezone.now().replace(microsecond=0) - timedelta(hours=30)
    Occurrence.objects.create(show=show, starts_at=at, state="missed", reason="no power")
    week_ago = (timezone.now() - timedelta(days=7)).isoformat()
    rows = occurrences(alice, show, **{"from": week_ago})

    # What was not planned then has not been missed.
    assert [row["reason"] for row in rows if row["state"] == "missed"] == ["no power"]
    assert [row["state"] for row in rows[1:]] == ["scheduled"] * 23
    replace_schedule(show, None)
    assert [row["reason"] for row in occurrences(alice, show, **{"from": week_ago})] == ["no power"]


def test_far_starts_are_computed_and_left_out_ones_are_not_listed(
    show: Show, alice: Client
) -> None:
    replace_schedule(show, {**DAILY, "exdates": ["2027-03-06"]})

    window = {"from": "2027-03-05T00:00:00Z", "to": "2027-03-08T00:00:00Z"}
    rows = occurrences(alice, show, **window)

    assert [row["starts_at_local"][:10] for row in rows] == ["2027-03-05", "2027-03-07"]
    assert {row["state"] for row in rows} == {"scheduled"}
    assert not Occurrence.objects.exists()


def test_start_that_was_made_names_its_broadcast(cast: Cast, show: Show, alice: Client) -> None:
    at = timezone.now() - timedelta(minutes=1)
    row = Occurrence.objects.create(show=show, starts_at=at, state="started")
    broadcast = start_broadcast(show=show, actor=cast.alice, occurrence=row)

    listed = occurrences(alice, show, **{"from": (at - timedelta(hours=1)).isoformat()})

    assert [item["broadcast"] for item in listed] == [str(broadcast.pk)]


@pytest.fixture
def planned(show: Show) -> Schedule:
    """Daily, and looked at last on 2027-03-01 at midnight UTC."""
    replace_schedule(show, DAILY)
    Schedule.objects.update(planned_until=datetime(2027, 3, 1, tzinfo=UTC))
    return Schedule.objects.get()


def days() -> list[int]:
    return [row.starts_at.day for row in Occurrence.objects.all()]


def test_airings_of_two_days_get_rows_once(planned: Schedule) -> None:
    now = datetime(2027, 3, 1, tzinfo=UTC)

    first = materialise(planned, now)
    planned.refresh_from_db()
    again = materialise(planned, now + timedelta(hours=1))

    assert (first, again, days()) == (2, 0, [1, 2])


def test_of_two_loops_one_writes_the_rows(planned: Schedule) -> None:
    now, same = datetime(2027, 3, 1, tzinfo=UTC), Schedule.objects.get()

    assert [materialise(row, now) for row in (planned, same)] == [2, 0]


def test_airings_that_fell_into_a_standstill_get_rows(planned: Schedule) -> None:
    materialise(planned, datetime(2027, 3, 5, tzinfo=UTC))

    assert days() == [1, 2, 3, 4, 5, 6]


def test_after_a_long_standstill_a_month_is_looked_back(planned: Schedule) -> None:
    materialise(planned, datetime(2027, 7, 1, tzinfo=UTC))

    assert Occurrence.objects.count() == LOOK_BACK.days + 2


def test_loop_that_read_an_older_schedule_writes_nothing(show: Show, planned: Schedule) -> None:
    replace_schedule(show, {**DAILY, "starts_at_local": "2027-03-01T09:00:00"})

    assert materialise(planned, datetime(2027, 3, 1, tzinfo=UTC)) == 0
    assert days() == []


@pytest.mark.parametrize(
    "edit",
    [
        {"timezone": "Europe/Berlin"},
        {"starts_at_local": "2027-03-01T09:00:00"},
        {"exdates": ["2027-03-02"]},
    ],
)
def test_edited_schedule_replaces_what_was_planned(
    show: Show, planned: Schedule, edit: dict[str, Any]
) -> None:
    now = datetime(2027, 3, 1, tzinfo=UTC)
    materialise(planned, now)

    replace_schedule(show, {**DAILY, **edit})
    Schedule.objects.update(planned_until=now)
    materialise(Schedule.objects.get(), now)

    rows = [row.starts_at for row in Occurrence.objects.all()]
    assert rows == list_starts(Schedule.objects.get(), now, now + MATERIALISE_AHEAD)
    assert rows != [datetime(2027, 3, day, 12, tzinfo=UTC) for day in (1, 2)]


def test_cleared_schedule_drops_planned_airings_only(show: Show, planned: Schedule) -> None:
    materialise(planned, datetime(2027, 3, 1, tzinfo=UTC))
    begun = Occurrence.objects.order_by("starts_at")[0]
    Occurrence.objects.filter(pk=begun.pk).update(state="started")

    replace_schedule(show, None)

    assert [row.pk for row in Occurrence.objects.all()] == [begun.pk]


def test_bad_schedule_changes_nothing(show: Show) -> None:
    replace_schedule(show, DAILY)

    with pytest.raises(InvalidInputError):
        replace_schedule(show, {**DAILY, "rrule": "FREQ=YEARLY"})

    show.refresh_from_db()
    assert show.schedule.rrule == "FREQ=DAILY"
