"""Planned airings start once, late ones by their policy, and what cannot start says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from streams.models import Broadcast, Occurrence, Schedule, Show
from streams.services import airing
from streams.services.airing import CATCH_UP_SECONDS, plan_airings, start_due_airings
from streams.services.lifecycle import finish_broadcast, start_broadcast
from streams.services.runner_spec import build_runner_spec
from streams.services.schedule import replace_schedule
from streams.services.shows import archive_show
from tests.factories import Cast
from tests.streams.plans import make_show


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


def plan(show: Show, *, late_seconds: float = 1.0) -> Occurrence:
    starts_at = timezone.now() - timedelta(seconds=late_seconds)
    return Occurrence.objects.create(show=show, starts_at=starts_at)


def schedule(show: Show, **values: Any) -> None:
    start = (timezone.now() + timedelta(hours=3)).replace(tzinfo=None)
    fields = {"starts_at_local": start.isoformat(), "timezone": "UTC", "rrule": "FREQ=DAILY"}
    replace_schedule(show, {**fields, **values})


def state_of(row: Occurrence) -> tuple[str, str]:
    row.refresh_from_db()
    return row.state, row.reason


# --- rows ----------------------------------------------------------------------------------------


def test_airings_of_two_days_get_rows_once(show: Show) -> None:
    schedule(show)

    plan_airings(timezone.now())
    plan_airings(timezone.now())

    assert Occurrence.objects.count() == 2


def test_show_saved_a_moment_before_its_start_airs(show: Show) -> None:
    start = timezone.now() + timedelta(seconds=2)
    schedule(show, starts_at_local=start.replace(tzinfo=None).isoformat(), rrule="")

    later = timezone.now() + timedelta(seconds=3)
    plan_airings(later)

    assert start_due_airings(later) == 1


def test_schedule_that_cannot_be_read_does_not_stop_the_others(cast: Cast, show: Show) -> None:
    schedule(show)
    Schedule.objects.update(timezone="Europe/Atlantis")
    schedule(make_show(cast.organization, cast.alice))

    assert plan_airings(timezone.now()) == 2
    assert plan_airings(timezone.now()) == 0


def test_archived_show_gets_no_rows_and_loses_those_it_has(cast: Cast, show: Show) -> None:
    schedule(show)
    plan_airings(timezone.now())

    archive_show(show=show, actor=cast.alice)
    plan_airings(timezone.now())

    assert not Occurrence.objects.exists()


def test_standstill_is_told_as_missed_airings(show: Show) -> None:
    schedule(show)
    ahead = timezone.now() + timedelta(days=4)

    plan_airings(ahead)
    start_due_airings(ahead)

    rows = list(Occurrence.objects.values_list("state", "reason"))
    assert rows[:4] == [("missed", airing.NOT_RUNNING)] * 4
    assert {state for state, _ in rows[4:]} == {"scheduled"}


def test_clock_that_was_years_ahead_leaves_nothing_missed(show: Show) -> None:
    schedule(show)
    now = timezone.now()
    plan_airings(now)
    wrong = now + timedelta(days=2000)
    plan_airings(wrong)
    start_due_airings(wrong)
    assert Occurrence.objects.filter(state="missed").count() > 2

    plan_airings(now)

    ahead = Occurrence.objects.filter(starts_at__lt=now + timedelta(hours=48))
    assert [row.state for row in ahead] == ["scheduled"] * 2
    assert start_due_airings(now + timedelta(hours=3, seconds=1)) == 1


def test_clock_that_is_set_back_starts_nothing_twice(show: Show) -> None:
    occurrence = plan(show)
    start_due_airings(timezone.now())
    finish_broadcast(broadcast=Broadcast.objects.get(), state="ended")

    back = timezone.now() - timedelta(hours=2)
    plan_airings(back)

    assert start_due_airings(back) == 0
    assert start_due_airings(timezone.now()) == 0
    assert state_of(occurrence)[0] == "started"


# --- starts --------------------------------------------------------------------------------------


def test_due_airing_starts_once(show: Show) -> None:
    occurrence = plan(show)

    assert start_due_airings(timezone.now()) == 1
    assert start_due_airings(timezone.now()) == 0

    broadcast = Broadcast.objects.get()
    assert (state_of(occurrence)[0], broadcast.occurrence_id) == ("started", occurrence.pk)
    assert broadcast.started_by is None


def test_of_two_loops_that_saw_it_due_one_starts_it(show: Show) -> None:
    occurrence = plan(show)
    same = Occurrence.objects.get(pk=occurrence.pk)

    assert [airing._start(row, timezone.now()) for row in (occurrence, same)] == [True, False]
    assert Broadcast.objects.count() == 1


def test_loop_that_dies_while_it_starts_has_done_nothing(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    occurrence = plan(show)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(airing, "start_broadcast", die)
        with pytest.raises(KeyboardInterrupt):
            start_due_airings(timezone.now())

    assert state_of(occurrence) == ("scheduled", "")
    assert start_due_airings(timezone.now()) == 1


def test_one_bad_row_does_not_stop_the_others(
    cast: Cast, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = plan(show, late_seconds=2), plan(make_show(cast.organization, cast.alice))

    def fail_for_one(*, show: Show, **values: Any) -> Broadcast:
        if show.pk == bad.show_id:
            raise LookupError("one bad row")
        return start_broadcast(show=show, **values)

    monkeypatch.setattr(airing, "start_broadcast", fail_for_one)

    assert start_due_airings(timezone.now()) == 1
    assert state_of(bad) == ("missed", airing.BROKEN)
    assert state_of(good)[0] == "started"


def test_airing_in_the_future_waits(show: Show) -> None:
    plan(show, late_seconds=-60)

    assert start_due_airings(timezone.now()) == 0


def test_show_that_was_deleted_since_is_not_started(cast: Cast, show: Show) -> None:
    occurrence = plan(show)
    Show.objects.update(archived_at=timezone.now())

    assert start_due_airings(timezone.now()) == 0
    assert "deleted" in state_of(occurrence)[1]


def test_airing_that_cannot_start_says_why(cast: Cast) -> None:
    occurrence = plan(make_show(cast.organization, cast.alice, cues=[]))

    assert start_due_airings(timezone.now()) == 0
    assert "add a cue" in state_of(occurrence)[1]


# --- a show that is on air at its hour -----------------------------------------------------------


def test_show_on_air_at_its_hour_starts_when_it_has_ended(cast: Cast, show: Show) -> None:
    before = start_broadcast(show=show, actor=cast.alice)
    occurrence = plan(show)

    assert start_due_airings(timezone.now()) == 0
    assert state_of(occurrence) == ("scheduled", airing.WAITS)

    finish_broadcast(broadcast=before, state="ended")
    assert start_due_airings(timezone.now()) == 1
    assert state_of(occurrence) == ("started", "")


def test_show_that_stays_on_air_misses_its_next_airing(cast: Cast, show: Show) -> None:
    start_broadcast(show=show, actor=cast.alice)
    occurrence = plan(show, late_seconds=400)

    assert start_due_airings(timezone.now()) == 0
    assert state_of(occurrence) == ("missed", airing.STILL_ON_AIR)


def test_start_by_hand_in_the_same_moment_comes_first(cast: Cast, show: Show) -> None:
    occurrence = plan(show)
    start_broadcast(show=show, actor=cast.alice)

    assert airing._start(occurrence, timezone.now()) is False
    assert state_of(occurrence) == ("scheduled", airing.WAITS)


def test_airings_that_wait_keep_no_other_from_starting(
    cast: Cast, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airing, "STARTED_PER_ROUND", 2)
    start_broadcast(show=show, actor=cast.alice)
    for late_seconds in (10, 20, 30):
        plan(show, late_seconds=late_seconds)
    free = plan(make_show(cast.organization, cast.alice))

    assert start_due_airings(timezone.now()) == 1
    assert state_of(free)[0] == "started"


# --- late ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "late_seconds", "state"),
    [("skip", 250, "started"), ("skip", 400, "missed"), ("start_late", 400, "started"),
     ("start_late", CATCH_UP_SECONDS + 1, "missed"), ("join", 400, "missed")],
)  # fmt: skip
def test_missed_airing_follows_its_policy(
    show: Show, catch_up: str, late_seconds: float, state: str
) -> None:
    schedule(show, catch_up=catch_up)
    occurrence = plan(show, late_seconds=late_seconds)

    start_due_airings(timezone.now())

    assert state_of(occurrence)[0] == state


def joined(show: Show, late_seconds: float) -> Broadcast:
    schedule(show, catch_up="join")
    plan(show, late_seconds=late_seconds)
    assert start_due_airings(timezone.now()) == 1
    return Broadcast.objects.get()


def long_show(cast: Cast, **values: Any) -> Show:
    """Three cues of half a minute: two pauses and a line between them."""
    pause = {"kind": "pause", "pause_seconds": 30}
    return make_show(
        cast.organization, cast.alice, cues=[pause, {"text": "你好。"}, pause], **values
    )


def test_show_that_joins_begins_where_it_would_be(cast: Cast) -> None:
    show = long_show(cast)

    broadcast = joined(show, late_seconds=40)

    third = str(show.cues.all()[2].pk)
    assert (broadcast.cursor["cue"], broadcast.cursor["loop"]) == (third, 0)


def test_show_that_loops_joins_in_its_loop(cast: Cast) -> None:
    show = long_show(cast, rundown_mode="loop", loop_pause_seconds=60, ends="manual")
    broadcast = joined(show, late_seconds=61 + 60 + 61 + 60 + 20)

    first = str(show.cues.all()[0].pk)
    assert (broadcast.cursor["cue"], broadcast.cursor["loop"]) == (first, 2)


def test_show_that_joins_ends_when_it_would_have(cast: Cast) -> None:
    show = long_show(cast, rundown_mode="loop", ends="after_duration", duration_minutes=600)

    broadcast = joined(show, late_seconds=7 * 3600)  # longer than others are waited for

    left_seconds = build_runner_spec(broadcast, token="t").duration_seconds
    assert left_seconds == pytest.approx(3 * 3600, abs=5)


def test_show_that_joins_after_its_end_is_missed(cast: Cast) -> None:
    show = long_show(cast)
    schedule(show, catch_up="join")
    occurrence = plan(show, late_seconds=70)

    assert start_due_airings(timezone.now()) == 0
    assert state_of(occurrence) == ("missed", airing.OVER_BY_NOW)


def test_start_that_is_hardly_late_begins_at_the_top(cast: Cast) -> None:
    broadcast = joined(long_show(cast), late_seconds=3)

    assert broadcast.cursor == {"cue": None, "sentence": 0, "loop": 0}
    assert "joined_seconds" not in broadcast.snapshot


def test_show_that_starts_late_begins_at_the_top_and_lasts_its_time(cast: Cast) -> None:
    show = long_show(cast, ends="after_duration", duration_minutes=60)
    schedule(show, catch_up="start_late")
    plan(show, late_seconds=1800)
    start_due_airings(timezone.now())

    broadcast = Broadcast.objects.get()
    assert broadcast.cursor["cue"] is None
    assert build_runner_spec(broadcast, token="t").duration_seconds == 3600


def test_changed_zone_moves_the_start(show: Show) -> None:
    local = (timezone.now() + timedelta(hours=3)).replace(tzinfo=None, microsecond=0)
    schedule(show, starts_at_local=local.isoformat(), rrule="")
    plan_airings(timezone.now())

    schedule(show, starts_at_local=local.isoformat(), rrule="", timezone="Asia/Tokyo")
    plan_airings(timezone.now())

    # Nine hours earlier lies behind us: it airs no more, and was not missed either.
    assert not Occurrence.objects.exists()
    schedule(show, starts_at_local=local.isoformat(), rrule="", timezone="America/New_York")
    plan_airings(timezone.now())
    starts = Occurrence.objects.values_list("starts_at", flat=True)
    assert [start.replace(tzinfo=None) > local for start in starts] == [True]


@pytest.mark.django_db(transaction=True)
def test_start_that_the_database_ended_for_another_is_made_again(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airings of one organization that are due at the same moment meet in its counters."""
    row = plan(show)
    errors = [OperationalError(1213, "Deadlock found when trying to get lock")]

    def start(**values: Any) -> Broadcast:
        if errors:
            raise errors.pop()
        return start_broadcast(**values)

    monkeypatch.setattr(airing, "start_broadcast", start)

    assert start_due_airings(timezone.now()) == 1
    assert state_of(row)[0] == "started"
