"""Planned airings start once, late ones by their policy, and what cannot start says why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import Broadcast, Occurrence, Show
from streams.services import airing
from streams.services.airing import plan_airings, start_due_airings
from streams.services.schedule import replace_schedule
from tests.factories import Cast
from tests.streams.plans import make_show


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


def plan(show: Show, *, late_seconds: float = 1.0) -> Occurrence:
    starts_at = timezone.now() - timedelta(seconds=late_seconds)
    return Occurrence.objects.create(show=show, starts_at=starts_at)


def schedule(show: Show, **values: str) -> None:
    start = (timezone.now() + timedelta(hours=3)).replace(tzinfo=None)
    fields = {"starts_at_local": start.isoformat(), "timezone": "UTC", "rrule": "FREQ=DAILY"}
    replace_schedule(show, {**fields, **values})


def test_airings_of_two_days_get_rows_once(show: Show) -> None:
    schedule(show)

    plan_airings(timezone.now())
    plan_airings(timezone.now())

    assert Occurrence.objects.count() == 2


def test_due_airing_starts_once(show: Show) -> None:
    occurrence = plan(show)

    assert start_due_airings(timezone.now()) == 1
    assert start_due_airings(timezone.now()) == 0

    occurrence.refresh_from_db()
    broadcast = Broadcast.objects.get()
    assert (occurrence.state, broadcast.occurrence_id) == ("started", occurrence.pk)
    assert broadcast.started_by is None


def test_of_two_loops_one_starts_it(show: Show) -> None:
    occurrence = plan(show)
    same = Occurrence.objects.get(pk=occurrence.pk)

    assert [airing._fire(row, timezone.now()) for row in (occurrence, same)] == [True, False]
    assert Broadcast.objects.count() == 1


def test_airing_in_the_future_waits(show: Show) -> None:
    plan(show, late_seconds=-60)

    assert start_due_airings(timezone.now()) == 0


@pytest.mark.parametrize(
    ("catch_up", "late_seconds", "state"),
    [("skip", 250, "started"), ("skip", 400, "missed"), ("start_late", 400, "started"),
     ("start_late", 7 * 3600, "missed")],
)  # fmt: skip
def test_missed_airing_follows_its_policy(
    show: Show, catch_up: str, late_seconds: float, state: str
) -> None:
    schedule(show, catch_up=catch_up)
    occurrence = plan(show, late_seconds=late_seconds)

    start_due_airings(timezone.now())

    occurrence.refresh_from_db()
    assert occurrence.state == state


def test_airing_that_cannot_start_says_why(show: Show) -> None:
    first, second = plan(show), plan(show, late_seconds=0.5)

    assert start_due_airings(timezone.now()) == 1

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("started", "missed")
    assert "on air" in second.reason


def test_claim_of_a_dead_loop_is_taken_over(show: Show) -> None:
    occurrence = plan(show)
    now = timezone.now()
    rows = Occurrence.objects.filter(pk=occurrence.pk)
    rows.update(state="starting", updated_at=now - timedelta(seconds=30))
    assert start_due_airings(now) == 0

    rows.update(updated_at=now - timedelta(seconds=90))
    assert start_due_airings(now) == 1
