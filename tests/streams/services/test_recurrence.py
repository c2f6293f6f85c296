"""Rules unrolled in local time: each day once, through every change of clocks, at bounded cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import dateutil.rrule
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestudio.common.errors import InvalidInputError
from streams.services.recurrence import parse_rule, to_utc, unroll

# Without changes; north; north; half an hour, south; against the seasons, by Ramadan.
ZONES = (
    "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
    "Africa/Casablanca",
)  # fmt: skip
YEARS = 3


def starts(text: str, start: str, days: int, zone: str = "UTC", after: int = 0) -> list[str]:
    """Local starts of a rule within `days`, from `after` days behind its first start on."""
    local, key = datetime.fromisoformat(start), ZoneInfo(zone)
    since = to_utc(local, key) + timedelta(days=after)
    rule = parse_rule(text, local, key)
    found = unroll(rule, local, key, since, since + timedelta(days=days))
    return [f"{item:%Y-%m-%d %H:%M}" for item, _ in found]


def moments_of(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Every moment at which a clock in the zone shows this: none, one or two."""
    around = [local.replace(tzinfo=UTC) + timedelta(hours=hour) for hour in range(-30, 31)]
    offsets = {moment.astimezone(zone).utcoffset() for moment in around}
    shown = {local.replace(tzinfo=UTC) - offset for offset in offsets if offset is not None}
    return sorted(item for item in shown if wall(item, zone) == local)


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def changes_near(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks change within two days."""
    near = (moment + timedelta(days=days) for days in (-2, -1, 0, 1, 2))
    return len({item.astimezone(zone).utcoffset() for item in near}) > 1


def check_daily(zone: ZoneInfo, first: datetime) -> None:
    """Three years of a daily show keep the rules that docs/operate.md promises."""
    since = to_utc(first, zone)
    rule = parse_rule("FREQ=DAILY", first, zone)

    found = list(unroll(rule, first, zone, since, since + timedelta(days=365 * YEARS)))

    assert [local for local, _ in found[:1000]] == [first + timedelta(days=n) for n in range(1000)]
    assert all(earlier < later for (_, earlier), (_, later) in pairwise(found))
    for local, moment in found:
        if not changes_near(moment, zone):
            assert wall(moment, zone) == local
        elif wall(moment, zone) == local:
            assert moment == moments_of(local, zone)[0]
        else:
            assert moments_of(local, zone) == []
            before = (moment - timedelta(hours=12)).astimezone(zone).utcoffset()
            after = (moment + timedelta(hours=12)).astimezone(zone).utcoffset()
            assert before is not None
            assert after is not None
            assert wall(moment, zone) - local == after - before > timedelta(0)


class Effort:
    """periods: months (of weekly and daily rules: days or weeks) that dateutil looked through."""

    periods = 0


@contextmanager
def effort(monkeypatch: pytest.MonkeyPatch) -> Iterator[Effort]:
    """Count the search for dates: how long it takes depends on the machine."""
    spent, rebuild = Effort(), dateutil.rrule._iterinfo.rebuild

    def count(info: object, year: int, month: int) -> None:
        spent.periods += 1
        rebuild(info, year, month)

    with monkeypatch.context() as counting:
        counting.setattr(dateutil.rrule._iterinfo, "rebuild", count)
        yield spent


@pytest.mark.parametrize("name", ZONES)
@settings(max_examples=3, deadline=None)
@given(minute=st.one_of(st.integers(0, 3 * 60 + 30), st.integers(0, 24 * 60 - 1)))
def test_daily_show_airs_once_each_day_through_three_years(name: str, minute: int) -> None:
    check_daily(ZoneInfo(name), datetime(2025, 1, 1) + timedelta(minutes=minute))  # noqa: DTZ001


@pytest.mark.long
def test_every_zone_of_the_world_keeps_the_rules() -> None:
    for name in sorted(available_timezones() - {"localtime", "posixrules", "Factory"}):
        for minute in (30, 150):
            check_daily(ZoneInfo(name), datetime(2025, 1, 1) + timedelta(minutes=minute))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:30"),  # becomes 03:30
        ("Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30"),  # the first of two
        ("America/New_York", "2027-03-14T02:15", "2027-03-14T07:15"),
        ("America/New_York", "2027-11-07T01:30", "2027-11-07T05:30"),
        ("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-02T15:45"),  # becomes 02:45
        ("Africa/Casablanca", "2027-03-14T02:30", "2027-03-14T02:30"),
        ("Asia/Shanghai", "2027-03-28T02:30", "2027-03-27T18:30"),
    ],
)
def test_changes_of_clocks_by_name(zone: str, local: str, utc: str) -> None:
    moment = to_utc(datetime.fromisoformat(local), ZoneInfo(zone))

    assert moment.replace(tzinfo=None).isoformat(timespec="minutes") == utc


def test_day_that_a_zone_left_out_airs_once() -> None:
    # Apia went over the date line: there was no 2011-12-30.
    found = starts("FREQ=DAILY", "2011-12-28T20:00:00", 4, "Pacific/Apia")

    assert found == ["2011-12-28 20:00", "2011-12-29 20:00", "2011-12-30 20:00", "2012-01-01 20:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=WEEKLY", ["03-01", "03-08", "03-15"]),
        ("FREQ=WEEKLY;BYDAY=TU,SU", ["03-02", "03-07", "03-09", "03-14", "03-16"]),
        ("FREQ=WEEKLY;INTERVAL=2", ["03-01", "03-15"]),
        ("FREQ=MONTHLY;BYDAY=1SU,-1FR", ["03-07"]),
        ("FREQ=MONTHLY;BYMONTHDAY=15", ["03-15"]),
        ("FREQ=DAILY;INTERVAL=5", ["03-01", "03-06", "03-11", "03-16"]),
        ("FREQ=DAILY;COUNT=2", ["03-01", "03-02"]),
        ("FREQ=DAILY;UNTIL=20270302", ["03-01", "03-02"]),
        ("FREQ=DAILY;UNTIL=20270302T195959", ["03-01"]),
        ("FREQ=DAILY;UNTIL=20270302T120000Z", ["03-01", "03-02"]),  # 20:00 in Shanghai
        ("freq=daily;until=20270302t115959z", ["03-01"]),
    ],
)
def test_rules(text: str, expected: list[str]) -> None:
    found = starts(text, "2027-03-01T20:00:00", 16, "Asia/Shanghai")

    assert [item[5:10] for item in found] == expected


def test_last_day_of_the_month_and_the_31st() -> None:
    last = starts("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-31T20:00:00", 90)
    only_31 = starts("FREQ=MONTHLY", "2027-01-31T20:00:00", 90)

    assert [item[5:10] for item in last] == ["01-31", "02-28", "03-31", "04-30"]
    assert [item[5:10] for item in only_31] == ["01-31", "03-31"]


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(
        [
            "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "FREQ=MONTHLY",
            "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU;WKST=SU", "FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR",
            "FREQ=DAILY;COUNT=40", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ]
    ),
    day=st.integers(0, 400),
    after=st.integers(0, 1500),
)  # fmt: skip
def test_a_late_look_sees_what_an_early_one_saw(text: str, day: int, after: int) -> None:
    start = (datetime(2026, 1, 1, 20) + timedelta(days=day)).isoformat()  # noqa: DTZ001

    whole = starts(text, start, after + 100)
    late = starts(text, start, 100, after=after)

    assert late == [item for item in whole if item >= late[0]] if late else True
    assert len(late) == sum(item >= _day_after(start, after) for item in whole)


def _day_after(start: str, days: int) -> str:
    return f"{datetime.fromisoformat(start) + timedelta(days=days):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU",
        "FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=12",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-5",
    ],
)
def test_old_rule_costs_no_more_than_a_new_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with effort(monkeypatch) as spent:
        starts(text, "2000-01-31T20:00:00", 60, after=9500)

    # Months: from the first start on it would be 312.
    assert spent.periods < 60


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MINUTELY",
        "FREQ=HOURLY;COUNT=2",
        "FREQ=YEARLY",
        "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=MONTHLY;BYMONTHDAY=30;INTERVAL=12",  # from a 28th of February
        "FREQ=MONTHLY;BYMONTHDAY=99",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=366",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=5",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=-2",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=1e9",
        "FREQ=DAILY;INTERVAL=367",
        "FREQ=DAILY;UNTIL=99999999",
        "FREQ=DAILY;UNTIL=20270101T250000",
        "FREQ=WEEKLY;BYDAY=MO,XX",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=DAILY;" + "A=1;" * 60,
        "",
        ";;;",
        "=",
    ],
)
def test_rule_is_refused_at_bounded_cost_and_in_words(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with effort(monkeypatch) as spent, pytest.raises(InvalidInputError) as refused:
        parse_rule(text, datetime(2027, 2, 28, 20), ZoneInfo("UTC"))  # noqa: DTZ001

    # A rule without any date is looked through once, month by month, up to the year 9999.
    assert spent.periods <= 12 * 8000
    assert refused.value.details[0].field == "schedule.rrule"
    assert refused.value.details[0].message.endswith(".")
