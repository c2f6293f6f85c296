"""How many queries an answer takes does not grow with the rows in it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streams.services.lifecycle import finish_broadcast, start_broadcast
from tests.factories import Cast
from tests.streams.plans import Client, make_output, make_show

pytestmark = pytest.mark.django_db

LISTS = ("shows/", "broadcasts/", "outputs/", "avatars/", "voices/", "pictures/")


def queries(client: Client, path: str) -> int:
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
    return show


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
