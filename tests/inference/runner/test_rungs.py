"""When a viewer falls to a worse picture, and when a better one is tried again."""

from __future__ import annotations

import math

import pytest

from inference.runner.rungs import CLIMB_SECONDS, MOST_SECONDS, Ladder
from tests.inference.runner.passing_time import Time


@pytest.fixture
def ladder(time: Time) -> Ladder:
    return Ladder(("main", "low", "sound"), time)


def _wait_to_climb(ladder: Ladder, time: Time) -> float:
    began = time.now
    while not ladder.may_climb(math.inf):
        time.now += 1
        assert time.now - began <= MOST_SECONDS
    return time.now - began


def test_best_rung_is_the_first_and_nothing_is_above_it(ladder: Ladder, time: Time) -> None:
    time.now += 1000

    assert (ladder.rung, ladder.above, ladder.below) == ("main", None, "low")
    assert not ladder.may_climb(math.inf)


def test_last_rung_has_none_below(ladder: Ladder) -> None:
    ladder.fall()
    ladder.fall()

    assert (ladder.rung, ladder.above, ladder.below) == ("sound", "low", None)


def test_climb_waits_for_quiet_and_not_only_for_time(ladder: Ladder, time: Time) -> None:
    ladder.fall()
    time.now += CLIMB_SECONDS - 1
    assert not ladder.may_climb(math.inf)
    time.now += 100
    assert not ladder.may_climb(CLIMB_SECONDS - 1)
    assert ladder.may_climb(CLIMB_SECONDS)


def test_who_falls_again_soon_waits_twice_as_long_each_time(ladder: Ladder, time: Time) -> None:
    waits = []
    for _ in range(7):
        ladder.fall()
        waits.append(_wait_to_climb(ladder, time))
        ladder.climb()
        time.now += 10

    assert waits == [15, 30, 60, 120, 240, 240, 240]


def test_who_stood_for_a_minute_is_judged_anew(ladder: Ladder, time: Time) -> None:
    for _ in range(3):
        ladder.fall()
        _wait_to_climb(ladder, time)
        ladder.climb()
    time.now += 61
    ladder.fall()

    assert _wait_to_climb(ladder, time) == CLIMB_SECONDS


def test_who_falls_to_the_last_rung_each_time_waits_longer_too(ladder: Ladder, time: Time) -> None:
    waits = []
    for _ in range(4):
        ladder.fall()
        time.now += 3
        ladder.fall()
        for _ in ("low", "main"):
            waits.append(_wait_to_climb(ladder, time))
            ladder.climb()
        time.now += 10

    assert waits == [15, 15, 30, 30, 60, 60, 120, 120]
