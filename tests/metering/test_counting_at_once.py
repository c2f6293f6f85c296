"""Many at once never take more than there is, nor count twice: processes, on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db.models import Sum
from django.utils import timezone

from accounts.roles import SYSTEM
from metering.errors import QuotaExceededError
from metering.models import Counter, Plan, UsageEntry
from metering.services import plans
from metering.services.counting import Holder, count_up_to, reserve, settle
from streams.models import Broadcast
from streams.services.lifecycle import start_broadcast
from streams.services.quotas import keep_accounts
from tests.factories import Cast, make_cast
from tests.forks import at_once, shared_database
from tests.metering.conftest import NOW
from tests.streams.plans import make_show, put_live
from voices.models import Voice
from voices.services import create_voice

pytestmark = pytest.mark.database

CHARACTERS = "tts_characters"
DAY = date(2026, 11, 21)
PROCESSES = 6


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def shared(cast: Cast, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Call it when the rows are made: from then on processes see them."""
    contexts = []

    def share() -> None:
        context = shared_database(tmp_path)
        context.__enter__()
        contexts.append(context)

    yield share
    for context in contexts:
        context.__exit__(None, None, None)


def set_limit(cast: Cast, **limits: int) -> None:
    plan = Plan.objects.create(name="Small")
    plans.set_plan_limits(plan=plan, limits=limits, actor=SYSTEM)
    plans.assign_plan(organization=cast.organization, plan=plan, actor=SYSTEM)


def test_reservations_at_once_never_exceed_the_limit(
    cast: Cast, shared: Callable[[], None]
) -> None:
    set_limit(cast, tts_characters=100)
    shared()

    def work(number: int) -> int:
        """Reserve and settle by sevens until refused; what was used."""
        holder, used = Holder(cast.organization.pk, f"b-{number}"), 0
        try:
            for turn in range(20):
                settle(reserve(holder, CHARACTERS, 7, now=NOW), 7 - turn % 2)
                used += 7 - turn % 2
        except QuotaExceededError:
            return used
        return used

    used = at_once(work, PROCESSES)

    counter = Counter.objects.get(meter=CHARACTERS)
    assert counter.used == sum(used)
    assert 94 <= counter.used <= 100
    assert counter.reserved == 0
    entries = UsageEntry.objects.aggregate(used=Sum("used"), reserved=Sum("reserved"))
    assert entries == {"used": counter.used, "reserved": 0}


def test_what_several_loops_count_is_counted_once(cast: Cast, shared: Callable[[], None]) -> None:
    shared()

    def work(number: int) -> int:
        holder = Holder(cast.organization.pk, "b-1")
        for total in range(0, 60, 5):
            count_up_to(holder, CHARACTERS, total, DAY)
        return 0

    at_once(work, PROCESSES)

    assert Counter.objects.get(meter=CHARACTERS).used == 55


def test_starts_at_once_stay_within_the_limit(cast: Cast, shared: Callable[[], None]) -> None:
    set_limit(cast, concurrent_broadcasts=2)
    shows = [make_show(cast.organization, cast.alice) for _ in range(PROCESSES)]
    shared()

    def work(number: int) -> int:
        try:
            start_broadcast(show=shows[number], actor=SYSTEM)
        except QuotaExceededError:
            return 0
        return 1

    assert sum(at_once(work, PROCESSES)) == 2
    assert Broadcast.objects.count() == 2


def test_voices_made_at_once_stay_within_the_limit(cast: Cast, shared: Callable[[], None]) -> None:
    set_limit(cast, voices=Voice.objects.filter(organization=cast.organization).count() + 3)
    shared()

    def work(number: int) -> int:
        values = {"name": f"New {number}", "engine": "espeak", "language": "en-US", "settings": {}}
        try:
            create_voice(organization=cast.organization, values=values, actor=SYSTEM)
        except QuotaExceededError:
            return 0
        return 1

    assert sum(at_once(work, PROCESSES)) == 3


def test_control_loops_at_once_count_minutes_once_and_end_a_show_once(
    cast: Cast, shared: Callable[[], None]
) -> None:
    set_limit(cast, broadcast_minutes=2)
    broadcast = put_live(cast)
    since = timezone.now() - timedelta(seconds=115)
    Broadcast.objects.filter(pk=broadcast.pk).update(first_frame_at=since)
    now = timezone.now()
    shared()

    def work(number: int) -> int:
        for _ in range(3):
            keep_accounts(now)
        return 0

    at_once(work, PROCESSES)

    counted = Counter.objects.filter(meter="broadcast_minutes")
    assert sum(counted.values_list("used", flat=True)) == 115
    commands = Broadcast.objects.get().commands
    assert commands.filter(name="stop").count() == 1
