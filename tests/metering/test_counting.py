"""Reserved before, settled after, refused when it is used up; told at 80 % and at the end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import translation

from accounts.roles import SYSTEM
from livestudio.common.reasons import translate_reason
from metering.errors import QuotaExceededError
from metering.hooks import Passed
from metering.meters import METERS
from metering.models import Counter, UsageEntry
from metering.services import counting, plans
from metering.services.counting import Holder, count, count_up_to, release, reserve, settle
from tests.factories import Cast
from tests.metering.conftest import NOW, Limit

CHARACTERS = "tts_characters"
DAY = date(2026, 11, 21)


def counter() -> Counter:
    return Counter.objects.get(meter=CHARACTERS)


def test_without_a_plan_nothing_is_refused_and_all_is_counted(holder: Holder) -> None:
    settle(reserve(holder, CHARACTERS, 10**9, now=NOW), 7 * 10**8)

    assert (counter().used, counter().reserved) == (7 * 10**8, 0)


def test_settling_counts_what_was_used_and_gives_back_the_rest(
    holder: Holder, limit: Limit
) -> None:
    limit(tts_characters=100)
    reservation = reserve(holder, CHARACTERS, 80, now=NOW)
    with pytest.raises(QuotaExceededError):
        reserve(holder, CHARACTERS, 30, now=NOW)

    settle(reservation, 25)

    assert (counter().used, counter().reserved) == (25, 0)
    release(reserve(holder, CHARACTERS, 75, now=NOW))
    assert (counter().used, counter().reserved) == (25, 0)


def test_settling_one_reservation_leaves_the_other_of_the_same_holder(
    holder: Holder, limit: Limit
) -> None:
    limit(tts_characters=100)
    first, second = (reserve(holder, CHARACTERS, 40, now=NOW) for _ in range(2))

    settle(first, 10)

    assert (counter().used, counter().reserved) == (10, 40)
    settle(second, 60)  # more than was thought: what was used is counted all the same
    assert (counter().used, counter().reserved) == (70, 0)


def test_refusal_names_meter_limit_used_and_when_it_is_renewed(
    holder: Holder, limit: Limit
) -> None:
    limit(broadcast_minutes=60)
    count(holder, "broadcast_minutes", 59 * 60 + 57, now=NOW)

    with pytest.raises(QuotaExceededError) as refused:
        reserve(holder, "broadcast_minutes", 60, now=NOW)

    assert refused.value.data == {
        "meter": "broadcast_minutes",
        "limit": 60,
        "used": 60.0,
        "resets_at": "2026-11-21T16:00:00.000Z",
    }
    assert refused.value.message == (
        "The quota is used up: broadcast minutes a day, 60 of 60 in use."
        " It is renewed at 2026-11-22 00:00 (Asia/Shanghai)."
    )
    with translation.override("zh-hans"):
        told = translate_reason(refused.value.message)
    assert told == (
        "配额已用完：每日开播分钟数，已用 60 / 60，2026-11-22 00:00（Asia/Shanghai）重新计算。"
    )


def test_words_of_every_meter_are_translated() -> None:
    with translation.override("zh-hans"):
        assert all(translate_reason(item.words) != item.words for item in METERS.values())


def test_a_partial_grant_is_what_is_left(holder: Holder, limit: Limit) -> None:
    limit(tts_characters=100)
    count(holder, CHARACTERS, 70, now=NOW)

    assert reserve(holder, CHARACTERS, 60, least=20, now=NOW).amount == 30
    assert reserve(holder, CHARACTERS, 60, least=0, now=NOW).amount == 0
    with pytest.raises(QuotaExceededError):
        reserve(holder, CHARACTERS, 60, least=1, now=NOW)


def test_counting_up_to_a_total_again_adds_nothing(holder: Holder, limit: Limit) -> None:
    limit(tts_characters=100)
    reserve(holder, CHARACTERS, 60, now=NOW)

    lefts = [count_up_to(holder, CHARACTERS, total, DAY) for total in (10, 10, 8, 25)]

    assert lefts == [50, 50, 50, 35]
    assert (counter().used, counter().reserved) == (25, 35)


def test_the_next_day_of_the_organization_begins_at_zero(holder: Holder, limit: Limit) -> None:
    limit(tts_characters=100)
    count(holder, CHARACTERS, 100, now=NOW)
    midnight = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)

    with pytest.raises(QuotaExceededError):
        reserve(holder, CHARACTERS, 1, now=midnight - timedelta(microseconds=1))
    reserve(holder, CHARACTERS, 100, now=midnight)

    assert sorted(Counter.objects.values_list("period", flat=True)) == ["2026-11-21", "2026-11-22"]


def test_moving_the_time_zone_gives_no_day_twice(cast: Cast, holder: Holder, limit: Limit) -> None:
    limit(tts_characters=100)
    for zone in ("Asia/Shanghai", "Pacific/Kiritimati", "America/New_York", "Asia/Shanghai"):
        plans.set_closing(
            organization=cast.organization, values={"timezone": zone}, actor=cast.alice
        )
        reserve(holder, CHARACTERS, 100, least=0, now=NOW)

    # 20:00 in Shanghai is the 22nd in Kiritimati already: that day is used up with it.
    assert dict(Counter.objects.values_list("period", "reserved")) == {
        "2026-11-21": 100,
        "2026-11-22": 100,
    }


def test_80_percent_and_the_end_are_told_once_a_day(
    holder: Holder,
    limit: Limit,
    emitted: list[tuple[str, Any]],
    passed: list[Passed],
    django_capture_on_commit_callbacks: Any,
) -> None:
    limit(tts_characters=100)

    with django_capture_on_commit_callbacks(execute=True):
        for amount in (79, 1, 5, 15, 7):
            count(holder, CHARACTERS, amount, now=NOW)

    assert [kind for kind, _ in emitted] == ["quota.warning", "quota.reached"]
    assert emitted[0][1] == {
        "organization": str(holder.organization),
        "quota": CHARACTERS,
        "used": 80,
        "limit": 100,
        "resets_at": "2026-11-21T16:00:00.000Z",
        "broadcast": None,
    }
    assert [(item.level, item.used) for item in passed] == [("warning", 80), ("reached", 100)]


def test_a_level_is_not_told_when_its_transaction_is_undone(
    holder: Holder, limit: Limit, passed: list[Passed], django_capture_on_commit_callbacks: Any
) -> None:
    limit(tts_characters=100)

    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            count(holder, CHARACTERS, 90, now=NOW)
            transaction.set_rollback(True)
        assert passed == []
        count(holder, CHARACTERS, 90, now=NOW)

    assert [item.level for item in passed] == ["warning"]


def test_own_limits_stand_over_the_plan_and_the_default_plan_under_it(
    cast: Cast, limit: Limit
) -> None:
    free = plans.save_plan(plan=plans.Plan(name="Free", is_default=True), actor=SYSTEM)
    plans.set_plan_limits(plan=free, limits={"voices": 3, "avatars": 2}, actor=SYSTEM)
    assert counting.limits_of(cast.elsewhere.pk)["voices"] == 3

    plan = limit(voices=10, broadcast_minutes=5)
    limits = counting.limits_of(cast.organization.pk)
    assert (limits["voices"], limits["avatars"]) == (10, None)
    assert limits["broadcast_minutes"] == 300  # seconds

    plans.assign_plan(
        organization=cast.organization,
        plan=plan,
        overrides={"voices": None, "avatars": 7},
        actor=SYSTEM,
    )
    limits = counting.limits_of(cast.organization.pk)
    assert (limits["voices"], limits["avatars"]) == (None, 7)


def test_of_two_default_plans_the_last_one_holds(cast: Cast) -> None:
    for name in ("Free", "Trial"):
        plans.save_plan(plan=plans.Plan(name=name, is_default=True), actor=SYSTEM)

    assert [plan.name for plan in plans.Plan.objects.filter(is_default=True)] == ["Trial"]


def test_only_a_superuser_changes_plans(cast: Cast, limit: Limit) -> None:
    plan = limit(voices=3)

    with pytest.raises(plans.ForbiddenError):
        plans.set_plan_limits(plan=plan, limits={}, actor=cast.alice)
    with pytest.raises(plans.ForbiddenError):
        plans.assign_plan(organization=cast.organization, plan=None, actor=cast.alice)
    with pytest.raises(plans.InvalidInputError):
        plans.set_plan_limits(plan=plan, limits={"coffee": 3}, actor=SYSTEM)


def test_entries_keep_who_used_it(holder: Holder) -> None:
    count(holder, CHARACTERS, 5, now=NOW)

    entry = UsageEntry.objects.get()
    assert (entry.holder, entry.title, entry.used, entry.day) == ("b-1", "Evening", 5, DAY)
