"""What airs next and what was missed, of all shows of an organization at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streams.models import Occurrence, Show
from streams.models.schedule import OccurrenceState
from streams.services.airing import STILL_ON_AIR, WAITS
from streams.services.lifecycle import start_broadcast
from tests.factories import Cast
from tests.streams.plans import Client, make_schedule, make_show

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def show(cast: Cast) -> Show:
    """Airs at 20:00 in New York on each Wednesday; NOON is a Wednesday."""
    show = make_show(cast.organization, cast.alice)
    zone = "America/New_York"
    make_schedule(show, starts_at_local="2026-03-04T20:00:00", timezone=zone, rrule="FREQ=WEEKLY")
    return show


def airings(client: Client) -> dict[str, Any]:
    answer = client.get("airings/")
    assert answer.status_code == 200, answer.content
    return {row["show"]: row for row in answer.json()["results"]}


def add(show: Show, at: datetime, state: str, reason: str = "") -> Occurrence:
    return Occurrence.objects.create(show=show, starts_at=at, state=state, reason=reason)


def test_next_airing_is_told_in_the_zone_of_the_show(alice: Client, show: Show) -> None:
    row = airings(alice)[str(show.pk)]

    assert row["missed"] is None
    assert row["next"]["starts_at_local"] == "2026-03-04T20:00:00"
    assert row["next"]["starts_at"] == "2026-03-05T01:00:00.000Z"
    assert row["next"]["state"] == "scheduled"


def test_next_airing_is_one_that_is_not_left_out(alice: Client, show: Show) -> None:
    show.schedule.exdates = ["2026-03-04T20:00:00"]
    show.schedule.save()

    assert airings(alice)[str(show.pk)]["next"]["starts_at_local"] == "2026-03-11T20:00:00"


def test_airing_that_waits_is_the_next_one_and_says_for_what(alice: Client, show: Show) -> None:
    add(show, NOON - HOUR, OccurrenceState.SCHEDULED, WAITS)
    add(show, NOON + HOUR, OccurrenceState.SCHEDULED)

    row = airings(alice)[str(show.pk)]["next"]

    assert (row["starts_at"], row["reason"]) == ("2026-03-04T11:00:00.000Z", WAITS)


def test_missed_airing_is_told_until_the_show_is_on_air_again(
    cast: Cast, alice: Client, show: Show
) -> None:
    add(show, NOON - 20 * HOUR, OccurrenceState.MISSED, "first")
    add(show, NOON - HOUR, OccurrenceState.MISSED, STILL_ON_AIR)
    missed = airings(alice)[str(show.pk)]["missed"]
    start_broadcast(show=show, actor=cast.alice)

    assert (missed["starts_at_local"], missed["reason"]) == ("2026-03-04T06:00:00", STILL_ON_AIR)
    assert airings(alice)[str(show.pk)]["missed"] is None


def test_miss_of_long_ago_is_not_told(alice: Client, show: Show) -> None:
    add(show, NOON - timedelta(days=8), OccurrenceState.MISSED, STILL_ON_AIR)

    assert airings(alice)[str(show.pk)]["missed"] is None


def test_shows_with_nothing_to_tell_and_of_others_are_left_out(
    cast: Cast, alice: Client, show: Show
) -> None:
    make_show(cast.organization, cast.alice)
    over = make_show(cast.organization, cast.alice)
    make_schedule(over, starts_at_local="2026-03-01T20:00:00")
    strange = make_show(cast.elsewhere, cast.charlie)
    make_schedule(strange, rrule="FREQ=DAILY")
    show_away = make_show(cast.organization, cast.alice, archived_at=NOON)
    make_schedule(show_away, rrule="FREQ=DAILY")

    assert list(airings(alice)) == [str(show.pk)]


def test_zone_that_was_taken_away_keeps_the_rest_in_the_list(
    cast: Cast, alice: Client, show: Show
) -> None:
    broken = make_show(cast.organization, cast.alice)
    make_schedule(broken, timezone="Mars/Olympus", rrule="FREQ=DAILY")
    add(broken, NOON + HOUR, OccurrenceState.SCHEDULED)

    found = airings(alice)

    assert found[str(show.pk)]["next"]["starts_at_local"] == "2026-03-04T20:00:00"
    assert found[str(broken.pk)]["next"]["starts_at_local"] == "2026-03-04T13:00:00"


def test_many_shows_take_as_many_queries_as_one(cast: Cast, alice: Client, show: Show) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            airings(alice)
        return len(captured)

    few = queries()
    for _ in range(5):
        another = make_show(cast.organization, cast.alice)
        make_schedule(another, rrule="FREQ=DAILY")
        add(another, NOON - HOUR, OccurrenceState.MISSED, STILL_ON_AIR)

    assert queries() == few
    assert len(airings(alice)) == 6
