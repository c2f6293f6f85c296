"""The timeline: what aired, airs, was missed, is left out and is planned."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from streams.admin.timeline_layout import BESIDE, GUTTER, HOUR, Lane, Slot, draw_grid, fit_text
from streams.models import Broadcast, Occurrence
from streams.services.airing import NOT_RUNNING
from streams.services.lifecycle import finish_broadcast
from tests.factories import Cast
from tests.streams.plans import make_schedule, make_show, put_live
from tests.streams.test_dashboard_live import page_of, signed_in_as

INDEX = "/admin/"
TIMELINE = "/admin/timeline/"


@pytest.fixture
def bobs_browser(cast: Cast) -> Browser:
    return signed_in_as(cast.bob)


def at_noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Wednesday 2026-03-04, 12:00 UTC."""
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("show", "20:00"), ("Asia/Shanghai", "20:00"), ("Europe/Berlin", "13:00"), ("UTC", "12:00")],
)
def test_timeline_shows_planned_starts_in_the_zone_chosen(
    cast: Cast, bobs_browser: Browser, zone: str, hours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_schedule(make_show(cast.organization, cast.alice), rrule="FREQ=WEEKLY;BYDAY=FR")
    bobs_browser.get(TIMELINE)
    at_noon(monkeypatch)

    page = page_of(bobs_browser, f"{TIMELINE}?view=week&date=2026-03-04&zone={zone}")

    assert f"{hours} Evening" in page
    assert "03-06 Fri" in page
    assert "Now" in page


def test_timeline_remembers_the_zone(cast: Cast, bobs_browser: Browser) -> None:
    bobs_browser.get(f"{TIMELINE}?zone=Asia/Tokyo")

    assert "<option selected>Asia/Tokyo</option>" in page_of(bobs_browser, TIMELINE)


def test_timeline_shows_what_aired_with_its_end(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="ended", reason="the rundown has ended")
    start = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
    Broadcast.objects.filter(pk=broadcast.pk).update(
        created_at=start, started_at=start, ended_at=start + timedelta(minutes=50)
    )

    page = page_of(bobs_browser, f"{TIMELINE}?view=day&date=2026-03-03&zone=UTC")

    assert "Evening · 09:30–10:20 · UTC · Ended · the rundown has ended" in page
    assert reverse("admin:streams_broadcast_change", args=[broadcast.pk]) in page


def test_timeline_of_an_outsider_is_empty(cast: Cast) -> None:
    broadcast = put_live(cast)
    make_schedule(broadcast.show, rrule="FREQ=DAILY")

    page = page_of(signed_in_as(cast.charlie), TIMELINE)

    assert "Evening" not in page
    assert "Nothing airs in this period." in page


@pytest.mark.parametrize(
    ("query", "message"),
    [("zone=Moon/Base", "There is no time zone Moon/Base."), ("date=soon", "Give a date")],
)
def test_timeline_refuses_in_words(
    cast: Cast, bobs_browser: Browser, query: str, message: str
) -> None:
    assert message in page_of(bobs_browser, f"{TIMELINE}?{query}")


@pytest.mark.parametrize("query", ["date=9999-12-31", "date=0001-01-01", "view=year"])
def test_timeline_survives_odd_addresses(cast: Cast, bobs_browser: Browser, query: str) -> None:
    assert "Timeline" in page_of(bobs_browser, f"{TIMELINE}?{query}")


def test_rule_that_cannot_be_read_does_not_break_the_timeline(
    cast: Cast, bobs_browser: Browser
) -> None:
    make_schedule(make_show(cast.organization, cast.alice), rrule="FREQ=NONSENSE")

    assert "Timeline" in page_of(bobs_browser, TIMELINE)


def test_timeline_tells_what_was_missed_and_what_is_left_out(
    cast: Cast, bobs_browser: Browser
) -> None:
    show = make_show(cast.organization, cast.alice)
    make_schedule(show, rrule="FREQ=DAILY", exdates=["2030-03-05T20:00:00"])
    at = datetime(2026, 3, 3, 12, tzinfo=UTC)
    Occurrence.objects.create(show=show, starts_at=at, state="missed", reason=NOT_RUNNING)

    past = page_of(bobs_browser, f"{TIMELINE}?view=day&date=2026-03-03")
    chinese = page_of(signed_in_as(cast.bob, "zh-hans"), f"{TIMELINE}?view=day&date=2026-03-03")
    ahead = page_of(bobs_browser, f"{TIMELINE}?view=week&date=2030-03-05")

    assert f"Missed · {NOT_RUNNING}" in past
    assert "已错过 · 到点时系统没有运行。" in chinese
    assert ahead.count(" · Scheduled") == 6
    assert ahead.count(" · Skipped · Left out in the schedule.") == 1


def test_show_without_a_plan_is_drawn_in_the_usual_zone(cast: Cast, bobs_browser: Browser) -> None:
    make_schedule(make_show(cast.organization, cast.alice, title="Daily"), timezone="Asia/Tokyo")
    broadcast = put_live(cast)
    at = datetime(2026, 3, 3, 12, tzinfo=UTC)
    Broadcast.objects.filter(pk=broadcast.pk).update(created_at=at, started_at=at, ended_at=at)

    page = page_of(bobs_browser, f"{TIMELINE}?view=day&date=2026-03-03&zone=show")

    assert "21:00 Evening" in page


def test_skipped_start_is_not_told_as_coming_next(cast: Cast, bobs_browser: Browser) -> None:
    start = (timezone.now() + timedelta(hours=3)).replace(microsecond=0, tzinfo=None)
    show = make_show(cast.organization, cast.alice)
    make_schedule(
        show, timezone="UTC", starts_at_local=start.isoformat(), exdates=[start.isoformat()]
    )

    assert "No show is planned" in page_of(bobs_browser, INDEX)


def test_text_of_a_late_bar_stands_before_it() -> None:
    slots = [slot(wall(hour), 60) for hour in (10, 23)]

    early, late = draw_grid([Lane("", "", date(2026, 3, 4), slots, [])]).rows[0].bars

    assert early.label_x == early.x + early.width
    assert late.label_x + late.label_width == late.x
    assert late.left > early.right


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("20:00 News", 200, "20:00 News"),
        ("20:00 News of the day", 80, "20:00 News…"),
        ("20:00 晚间好物直播", 80, "20:00 晚间…"),
        ("20:00", 3, "…"),
        ("", 0, ""),
    ],
)
def test_text_is_cut_where_it_has_no_room(text: str, width: float, expected: str) -> None:
    assert fit_text(text, width) == expected


def wall(hour: int) -> datetime:
    """Wall time on 2026-03-04."""
    return datetime.combine(date(2026, 3, 4), time(hour))


def slot(start: datetime, minutes: int) -> Slot:
    end = start + timedelta(minutes=minutes)
    return Slot(start, end, "text", "description", "plan", is_open=False, url="/")


def test_bars_that_overlap_lie_below_each_other() -> None:
    day = date(2026, 3, 4)
    first = slot(wall(8), 120)
    lane = Lane("Wed", "", day, [first, slot(wall(9), 120)], [])

    row = draw_grid([lane]).rows[0]

    assert [bar.x for bar in row.bars] == [GUTTER + 8 * HOUR, GUTTER + 9 * HOUR]
    assert row.bars[0].width == 2 * HOUR
    assert row.bars[1].y >= row.bars[0].y + row.bars[0].height
    assert row.bottom >= row.bars[1].y + row.bars[1].height


def test_bar_over_midnight_goes_on_the_next_day() -> None:
    late = slot(wall(23), 120)
    lanes = [Lane("", "", date(2026, 3, day), [late], []) for day in (4, 5, 6)]

    rows = draw_grid(lanes).rows

    assert [[(bar.x, bar.width) for bar in row.bars] for row in rows] == [
        [(GUTTER + 23 * HOUR, HOUR)],
        [(GUTTER, HOUR)],
        [],
    ]


def test_names_of_lanes_stay_beside_the_hours_and_fit(
    cast: Cast, bobs_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "小鱼优选晚间护肤专场加长版"
    make_schedule(make_show(cast.organization, cast.alice, title=name), rrule="FREQ=DAILY")
    at_noon(monkeypatch)

    page = page_of(bobs_browser, f"{TIMELINE}?view=day&date=2026-03-04&zone=Asia/Shanghai")
    names = page.partition('<svg class="lanes"')[2].partition("</svg>")[0]

    assert f"<title>{name} Asia/Shanghai</title>" in names
    assert f'<text class="lane" x="12" y="17">{name[:9]}…</text>' in names
    grid = draw_grid([])
    assert grid.gutter_percent / grid.hours_percent == pytest.approx(GUTTER / (24 * HOUR), abs=1e-4)
    assert "20:00 Asia/Shanghai" in page.partition('class="legend"')[2]


def test_text_of_a_short_bar_stands_beside_it_and_keeps_its_room() -> None:
    day = date(2026, 3, 4)
    slots = [slot(wall(8), 5), slot(wall(9), 5)]

    first, second = draw_grid([Lane("", "", day, slots, [])]).rows[0].bars

    assert first.label_width == BESIDE
    assert second.y > first.y
