"""How many queries an answer takes does not grow with the rows in it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Consent
from streams.models import (
    Broadcast,
    BroadcastEvent,
    ControlCommand,
    MetricSample,
    Recording,
    Utterance,
)
from streams.services.lifecycle import finish_broadcast, start_broadcast
from tests.factories import Cast, UserFactory
from tests.streams.plans import Client, make_output, make_show, put_live

pytestmark = pytest.mark.django_db

LISTS = ("shows/", "broadcasts/", "outputs/", "avatars/", "voices/", "pictures/", "consents/")
SHOWS, LIVE, CARDS = "/admin/streams/show/", "/admin/live/", "/admin/live/cards/"


def queries(client: Client | Browser, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return len(captured)


def add_rows(cast: Cast, count: int) -> Any:
    """Shows with cues and an output each, all of them aired once."""
    for _ in range(count):
        output = make_output(cast.organization, cast.alice)
        show = make_show(cast.organization, cast.alice, outputs=[output])
        broadcast = start_broadcast(show=show, actor=cast.alice)
        finish_broadcast(broadcast=broadcast, state="ended", reason="")
        Consent.objects.create(
            organization=cast.organization, subject="Lin", scope="face", document="consents/x.pdf"
        )
    return show


def add_what_is_on_air(cast: Cast, count: int) -> None:
    """Live broadcasts, each with an output, numbers and a sentence that is being said."""
    for _ in range(count):
        broadcast = put_live(cast, outputs=[make_output(cast.organization, cast.alice)])
        MetricSample.objects.create(broadcast=broadcast, at=timezone.now(), values={"fps": 25})
        Utterance.objects.create(broadcast=broadcast, state="speaking", text="大家好。")


def add_history(broadcast: Broadcast, count: int) -> None:
    """Events, commands of several people and recordings of one broadcast."""
    for sequence in range(broadcast.events.count() + 1, broadcast.events.count() + 1 + count):
        own: dict[str, Any] = {"broadcast": broadcast}
        at = timezone.now()
        BroadcastEvent.objects.create(**own, sequence=sequence, kind="output", at=at, data={})
        ControlCommand.objects.create(**own, name="skip", actor=UserFactory(), deadline=at)
        Recording.objects.create(**own, runner_key=f"{sequence}", path=f"{sequence}.mp4")
        Utterance.objects.create(**own, text="大家好。")


def test_lists_take_as_many_queries_for_twelve_rows_as_for_two(cast: Cast, alice: Client) -> None:
    add_rows(cast, 2)
    few = {path: queries(alice, path) for path in LISTS}
    add_rows(cast, 10)
    many = {path: queries(alice, path) for path in LISTS}

    assert many == few
    assert max(many.values()) <= 12


def test_one_show_and_one_broadcast_take_few_queries(cast: Cast, alice: Client) -> None:
    show = add_rows(cast, 1)
    broadcast = show.broadcasts.get()

    assert queries(alice, f"shows/{show.pk}/") <= 12
    assert queries(alice, f"broadcasts/{broadcast.pk}/") <= 12


def test_admin_takes_as_many_queries_for_six_on_air_as_for_two(
    cast: Cast, browser: Browser
) -> None:
    pages = (SHOWS, LIVE, CARDS)
    add_what_is_on_air(cast, 2)
    for page in pages:
        browser.get(page)  # what is read once in a process
    few = {page: queries(browser, page) for page in pages}
    add_what_is_on_air(cast, 4)

    assert {page: queries(browser, page) for page in pages} == few


def test_page_of_a_long_broadcast_takes_as_many_queries_as_of_a_short_one(
    cast: Cast, browser: Browser
) -> None:
    broadcast = put_live(cast, outputs=[make_output(cast.organization, cast.alice)])
    page = reverse("admin:streams_broadcast_change", args=[broadcast.pk])
    add_history(broadcast, 2)
    browser.get(page)
    few = queries(browser, page)
    add_history(broadcast, 10)

    assert queries(browser, page) == few
