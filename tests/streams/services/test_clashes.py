"""Clashes and dead ends are told when a plan is saved, and never refuse it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.utils import timezone, translation

from streams.models import Output, Show
from streams.services.clashes import warnings_of
from streams.services.schedule import replace_schedule
from tests.factories import AvatarFactory, Cast
from tests.streams.plans import Client, make_output, make_show, show_body
from tests.streams.test_admin import change

LONG_AGO = "2020-01-01T20:00:00"


def at(hours: float, **values: Any) -> dict[str, Any]:
    """Daily, first in so many hours (and ten minutes, so that none is just beginning)."""
    start = timezone.now() + timedelta(hours=hours, minutes=10)
    local = start.replace(tzinfo=None, microsecond=0).isoformat()
    return {"starts_at_local": local, "timezone": "UTC", "rrule": "FREQ=DAILY", **values}


def hour_long(cast: Cast, **values: Any) -> Show:
    fields = {"ends": "after_duration", "duration_minutes": 60, **values}
    return make_show(cast.organization, cast.alice, **fields)


@pytest.fixture
def show(cast: Cast) -> Show:
    """An hour, daily in an hour."""
    show = hour_long(cast, title="News")
    replace_schedule(show, at(1))
    return show


def codes(show: Show) -> list[str]:
    return [warning.code for warning in warnings_of(show)]


def elsewhere(cast: Cast, hours: float, **values: Any) -> Show:
    """Another show of the organization, by default with another presenter."""
    avatar = values.pop("avatar", None) or AvatarFactory(organization=cast.organization)
    other = hour_long(cast, title="Talk", avatar=avatar, **values)
    replace_schedule(other, at(hours))
    return other


def test_show_that_airs_alone_has_no_warnings(show: Show) -> None:
    assert codes(show) == []


def test_show_without_schedule_has_no_warnings(cast: Cast) -> None:
    assert codes(make_show(cast.organization, cast.alice)) == []


@pytest.mark.parametrize(
    ("hours", "expected"), [(1.5, ["presenter_busy"]), (2.0, []), (0.5, ["presenter_busy"])]
)
def test_presenter_in_two_shows_at_once(
    cast: Cast, show: Show, hours: float, expected: list[str]
) -> None:
    other = elsewhere(cast, hours, avatar=show.avatar)

    assert codes(show) == expected
    if expected:
        warning = warnings_of(show)[0]
        assert warning.show == other.pk
        assert f"{show.avatar.name} also presents “Talk” at " in warning.message


def test_another_presenter_is_no_clash(cast: Cast, show: Show) -> None:
    elsewhere(cast, 1)

    assert codes(show) == []


def share(show: Show, other: Show, output: Output, its: Output) -> None:
    show.outputs.add(output)
    other.outputs.add(its)


def test_one_output_for_two_shows_at_once(cast: Cast, show: Show) -> None:
    output = make_output(cast.organization, cast.alice)
    share(show, elsewhere(cast, 1.5), output, output)

    assert codes(show) == ["output_conflict"]


def test_two_outputs_with_one_key_are_one(cast: Cast, show: Show) -> None:
    outputs = [make_output(cast.organization, cast.alice, name=name) for name in ("A", "B")]
    share(show, elsewhere(cast, 1.5), *outputs)

    assert codes(show) == ["output_conflict"]


@pytest.mark.parametrize(
    "values",
    [
        {"stream_key": "another-stream-key-1234"},
        {"url": "rtmp://127.0.0.1:1935/other"},
        {"kind": "file", "url": "evening.mp4", "stream_key": ""},
    ],
)
def test_other_destinations_are_no_clash(cast: Cast, show: Show, values: dict[str, Any]) -> None:
    outputs = [make_output(cast.organization, cast.alice, **item) for item in ({}, values)]
    share(show, elsewhere(cast, 1.5), *outputs)

    assert codes(show) == []


def test_a_key_for_each_broadcast_is_no_clash(cast: Cast, show: Show) -> None:
    output = make_output(cast.organization, cast.alice, key_per_broadcast=True, stream_key="")
    share(show, elsewhere(cast, 1.5), output, output)

    assert codes(show) == []


def test_more_at_once_than_runs_well(cast: Cast, show: Show, settings: Any) -> None:
    settings.BROADCASTS_AT_ONCE = 2
    elsewhere(cast, 1.2)
    elsewhere(cast, 2.1)
    assert codes(show) == []

    elsewhere(cast, 1.4)

    assert codes(show) == ["over_capacity"]
    assert "3 shows are on air at " in warnings_of(show)[0].message


def test_other_organizations_are_not_looked_at(cast: Cast, show: Show, settings: Any) -> None:
    settings.BROADCASTS_AT_ONCE = 1
    foreign = make_show(cast.elsewhere, cast.charlie)
    replace_schedule(foreign, at(1))

    assert codes(show) == []


@pytest.mark.parametrize(
    ("fields", "schedule", "expected"),
    [
        ({}, {"rrule": "", "starts_at_local": LONG_AGO}, "no_start"),
        ({}, {"rrule": "FREQ=DAILY;UNTIL=20200301", "starts_at_local": LONG_AGO}, "no_start"),
        ({"ends": "manual"}, {}, "never_ends"),
        ({"ends": "after_rundown", "rundown_mode": "loop"}, {}, "never_ends"),
        ({"duration_minutes": 24 * 60}, {}, None),
        ({}, {"exdates": ["2020-01-01"]}, None),
    ],
)  # fmt: skip
def test_dead_ends(
    cast: Cast, fields: dict[str, Any], schedule: dict[str, Any], expected: str | None
) -> None:
    show = hour_long(cast, **fields)
    replace_schedule(show, at(1, **schedule))

    assert codes(show) == ([expected] if expected else [])


def test_airing_longer_than_its_interval(cast: Cast) -> None:
    line = {"text": "你好。" + "[pause 30]" * 30}
    show = make_show(cast.organization, cast.alice, cues=[line] * 97)
    replace_schedule(show, at(1))

    assert codes(show) == ["overlaps_itself"]


def test_date_left_out_that_meets_no_start(cast: Cast, show: Show) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).replace(tzinfo=None, microsecond=0)
    values = at(1, exdates=[tomorrow.isoformat(), at(25)["starts_at_local"]])
    replace_schedule(show, values)

    (warning,) = warnings_of(show)
    assert warning.code == "exdate_unused"
    assert f"{tomorrow:%Y-%m-%d %H:%M}" in warning.message


def test_api_tells_warnings_when_a_plan_is_saved(cast: Cast, show: Show, alice: Client) -> None:
    body = show_body(cast.organization, schedule=at(1.2), title="Talk")

    made = alice.post("shows/", body)
    changed = alice.patch(f"shows/{made.json()['id']}/", {"schedule": at(5)})
    shown = alice.get(f"shows/{made.json()['id']}/")

    assert made.status_code == 201
    (warning,) = made.json()["warnings"]
    assert (warning["code"], warning["show"]) == ("presenter_busy", str(show.pk))
    assert "also presents “News”" in warning["message"]
    assert warning["at"].endswith("Z")
    assert changed.json()["warnings"] == []
    assert "warnings" not in shown.json()


def test_admin_tells_warnings_in_the_readers_language(
    cast: Cast, show: Show, browser: Browser
) -> None:
    other = elsewhere(cast, 1.2, avatar=show.avatar)

    answer = change(browser, other)

    assert answer.status_code == 302
    told = " ".join(str(message) for message in get_messages(answer.wsgi_request))
    assert "还要主持《News》" in told
    with translation.override("zh-hans"):
        assert "also presents" in warnings_of(other)[0].message
