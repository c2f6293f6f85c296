"""The calendar of an organization: who makes its address, who reads it, and what stands in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from accounts.models import AuditEntry
from accounts.roles import Role
from streams.models import Occurrence, Show
from streams.models.schedule import OccurrenceState
from tests.factories import Cast, add_member, error_of
from tests.streams.plans import API, Client, make_schedule, make_show

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def path(cast: Cast) -> str:
    return f"organizations/{cast.organization.pk}/calendar/"


@pytest.fixture
def address(alice: Client, path: str) -> str:
    url: str = alice.post(path).json()["url"]
    return url.removeprefix("http://testserver")


def read(nobody: Client, address: str, **headers: str) -> Any:
    return nobody.raw.get(address, headers=headers)


def events(nobody: Client, address: str) -> list[Any]:
    answer = read(nobody, address)
    assert answer.status_code == 200, answer.content
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def starts(found: list[Any]) -> list[str]:
    return [f"{event['DTSTART'].dt:%Y-%m-%dT%H:%M%z}" for event in found]


def weekly(cast: Cast, **values: Any) -> Show:
    show = make_show(cast.organization, cast.alice, title="周三; 特卖, \\新品\n第二行")
    fields = {"starts_at_local": "2026-03-04T20:00:00", "rrule": "FREQ=WEEKLY;COUNT=4"}
    make_schedule(show, timezone="America/New_York", **{**fields, **values})
    return show


def test_each_airing_is_an_event_in_utc_across_a_clock_change(
    cast: Cast, nobody: Client, address: str
) -> None:
    weekly(cast, exdates=["2026-03-18T20:00:00"])

    # New York changes its clocks on the 8th of March: 20:00 there is an hour earlier in UTC.
    assert starts(events(nobody, address)) == [
        "2026-03-05T01:00+0000",
        "2026-03-12T00:00+0000",
        "2026-03-26T00:00+0000",
    ]


def test_event_says_what_it_is_and_where_it_is_watched(
    cast: Cast, nobody: Client, address: str
) -> None:
    show = weekly(cast)

    event = events(nobody, address)[0]

    assert event["UID"] == f"{show.pk}-20260305T010000Z@livestudio"
    # A line break in a title is none in a calendar: it cannot add a property.
    assert event["SUMMARY"] == show.title
    assert event["URL"] == f"http://testserver/watch/{show.pk}/"
    assert f"主播：{show.avatar.name}" in event["DESCRIPTION"]
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(minutes=5)
    assert event["STATUS"] == "CONFIRMED"


def test_text_is_valid_for_programs(cast: Cast, nobody: Client, address: str) -> None:
    weekly(cast)

    answer = read(nobody, address)
    lines = answer.content.split(b"\r\n")

    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert lines[-2:] == [b"END:VCALENDAR", b""]
    assert max(map(len, lines)) <= 75
    assert b"\n" not in answer.content.replace(b"\r\n", b"")
    for name in (b"PRODID:", b"VERSION:2.0", b"X-PUBLISHED-TTL:PT1H", b"X-WR-CALNAME:"):
        assert sum(line.startswith(name) for line in lines) == 1
    assert all(event.get("DTSTAMP") for event in Calendar.from_ical(answer.content).events)


def test_what_aired_and_what_was_missed_stays_for_sixty_days(
    cast: Cast, nobody: Client, address: str
) -> None:
    show = weekly(cast)
    for days, state in ((2, OccurrenceState.MISSED), (9, OccurrenceState.STARTED), (61, "started")):
        at = NOON - timedelta(days=days)
        Occurrence.objects.create(show=show, starts_at=at, state=state)

    aired, missed, *_ = events(nobody, address)

    assert starts([aired, missed]) == ["2026-02-23T12:00+0000", "2026-03-02T12:00+0000"]
    assert [aired["STATUS"], missed["STATUS"]] == ["CONFIRMED", "CANCELLED"]
    assert "未能开播" in missed["DESCRIPTION"]


def test_only_ninety_days_ahead_and_only_own_shows(
    cast: Cast, nobody: Client, address: str
) -> None:
    daily = {"starts_at_local": "2026-01-01T20:00:00", "rrule": "FREQ=DAILY"}
    weekly(cast, **daily)
    make_schedule(make_show(cast.elsewhere, cast.charlie), **daily)

    found = events(nobody, address)

    assert len(found) == 90
    assert len({event["UID"] for event in found}) == 90


def test_program_that_has_it_is_not_sent_it_again(cast: Cast, nobody: Client, address: str) -> None:
    show = weekly(cast)
    first = read(nobody, address)

    with time_machine.travel(NOON + timedelta(hours=5), tick=False):
        second = read(nobody, address, if_none_match=first["ETag"])
    Show.objects.filter(pk=show.pk).update(title="New")
    third = read(nobody, address, if_none_match=first["ETag"])

    assert (second.status_code, second.content) == (304, b"")
    assert third.status_code == 200


def test_new_address_ends_the_old_one_and_is_told_once(
    alice: Client, nobody: Client, path: str, address: str
) -> None:
    renewed = alice.post(path)
    known = alice.get(path).json()

    assert read(nobody, address).status_code == 404
    assert read(nobody, renewed.json()["url"]).status_code == 200
    assert renewed["Cache-Control"] == "no-store"
    assert set(known) == {"created_at", "created_by"}
    assert known["created_by"] == "alice"
    token = renewed.json()["url"].rpartition("=")[2]
    entries = AuditEntry.objects.filter(action="streams.calendar_address.renewed")
    assert entries.count() == 2
    assert token not in str(entries.values_list())


def test_ended_address_opens_nothing(
    alice: Client, nobody: Client, path: str, address: str
) -> None:
    assert alice.delete(path).status_code == 204

    assert read(nobody, address).status_code == 404
    assert alice.get(path).status_code == 404
    assert alice.delete(path).status_code == 404


def test_wrong_addresses_look_alike(
    cast: Cast, charlie: Client, nobody: Client, address: str
) -> None:
    """No difference between a wrong token, another's token and an organization that is none."""
    base = f"{API}organizations"
    token = address.rpartition("=")[2]
    wrong = [
        f"{base}/{cast.organization.pk}/calendar.ics",
        f"{base}/{cast.organization.pk}/calendar.ics?token=wrong",
        f"{base}/{cast.organization.pk}/calendar.ics?token=%ff%00",
        f"{base}/{cast.elsewhere.pk}/calendar.ics?token={token}",
        f"{base}/019a0000-0000-7000-8000-000000000000/calendar.ics?token={token}",
    ]

    answers = [read(nobody, item) for item in wrong]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_producers_may_and_operators_and_outsiders_may_not(
    cast: Cast, bob: Client, charlie: Client, path: str
) -> None:
    producer = Client(add_member(cast.organization, Role.PRODUCER))

    assert producer.post(path).status_code == 201
    assert error_of(bob.post(path))["code"] == "forbidden"
    assert charlie.post(path).status_code == 404


@pytest.mark.usefixtures("still_clock")
def test_address_is_asked_so_often_and_no_more(nobody: Client, address: str, settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "calendar": 2}
    cache.clear()

    answers = [read(nobody, address) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) <= 60


def test_queries_do_not_grow_with_the_shows(cast: Cast, nobody: Client, address: str) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            weekly(cast)
        with CaptureQueriesContext(connection) as captured:
            events(nobody, address)
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 6


def test_events_nearest_to_now_stay_when_there_are_too_many(
    cast: Cast, nobody: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.services.calendar_feed.EVENTS_MAX", 2)
    weekly(cast)

    found = starts(events(nobody, address))

    assert [re.sub("T.*", "", item) for item in found] == ["2026-03-05", "2026-03-12"]


def test_zone_that_was_taken_away_keeps_the_rest_in_the_calendar(
    cast: Cast, alice: Client, nobody: Client, address: str
) -> None:
    weekly(cast)
    broken = make_show(cast.organization, cast.alice)
    make_schedule(broken, timezone="Mars/Olympus", rrule="FREQ=DAILY")
    Occurrence.objects.create(show=broken, starts_at=NOON + timedelta(hours=1))

    found = events(nobody, address)
    listed = alice.get(f"shows/{broken.pk}/occurrences/")
    renamed = alice.patch(f"shows/{broken.pk}/", {"title": "Renamed"})

    assert starts(found)[:2] == ["2026-03-04T13:00+0000", "2026-03-05T01:00+0000"]
    assert [item["starts_at"] for item in listed.json()["results"]] == ["2026-03-04T13:00:00.000Z"]
    assert (renamed.status_code, renamed.json().get("warnings")) == (200, [])
