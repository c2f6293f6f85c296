"""A stream key is nowhere: no API answer, no admin page, no log line, no byte of the database."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.core import serializers
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from streams.models import Broadcast, Output
from streams.services.lifecycle import start_broadcast
from streams.services.runner_spec import build_runner_spec
from tests.factories import Cast
from tests.streams.plans import CANARY_KEY, RTMP_URL, Client, make_show

TODAYS_KEY = "canary-todays-key-55aa"
KEYS = (CANARY_KEY, TODAYS_KEY)


@pytest.fixture
def on_air(cast: Cast, alice: Client) -> Broadcast:
    """Two outputs went through every verb that takes a key."""
    body = {"name": "Main", "url": RTMP_URL, "stream_key": CANARY_KEY}
    ids = [alice.post("outputs/", {**body, "name": name}).json()["id"] for name in ("A", "B")]
    show = make_show(cast.organization, cast.alice, outputs=[Output.objects.get(pk=ids[0])])
    broadcast = start_broadcast(show=show, actor=cast.alice)
    path = f"broadcasts/{broadcast.pk}/outputs/"
    added = alice.post(path, {"output": ids[1]})
    assert added.status_code == 201
    for answer in (
        alice.post(f"{path}{added.json()['id']}/replace-key/", {"stream_key": TODAYS_KEY}),
        alice.post(f"outputs/{ids[0]}/rotate-key/", {"stream_key": CANARY_KEY}),
    ):
        assert answer.status_code in (200, 202)
    return broadcast


def dumped_rows() -> Iterator[str]:
    """Every row of every table, as the database holds it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            for row in cursor.fetchall():
                yield f"{table}: {row!r}"


def assert_no_key(text: str) -> None:
    for key in KEYS:
        assert key not in text


def test_keys_reach_the_runner(on_air: Broadcast) -> None:
    spec = build_runner_spec(on_air, token="run-token")

    assert {output.stream_key for output in spec.outputs} == set(KEYS)
    assert_no_key(repr(spec))


def test_no_byte_of_the_database_holds_a_key(on_air: Broadcast) -> None:
    rows = list(dumped_rows())

    assert any("streams_output" in row for row in rows)
    for row in rows:
        assert_no_key(row)


def test_no_fixture_of_a_model_holds_a_key(on_air: Broadcast) -> None:
    models = (Output, type(on_air.outputs.all()[0]), type(on_air.commands.all()[0]))

    for model in models:
        assert_no_key(serializers.serialize("json", model.objects.all()))


def test_no_answer_of_the_api_holds_a_key(on_air: Broadcast, alice: Client) -> None:
    output = Output.objects.all()[0]
    base = f"broadcasts/{on_air.pk}/"
    paths = ["outputs/", f"outputs/{output.pk}/", "shows/", f"shows/{on_air.show_id}/"]
    paths += ["broadcasts/", base]
    paths += [f"{base}{name}/" for name in ("outputs", "events", "utterances", "metrics")]

    for path in paths:
        answer = alice.get(path)
        assert answer.status_code == 200, path
        assert_no_key(answer.content.decode())


def test_no_page_of_the_admin_holds_a_key(cast: Cast, on_air: Broadcast, browser: Browser) -> None:
    output = Output.objects.all()[0]
    pages = [
        reverse("admin:streams_output_changelist"),
        reverse("admin:streams_output_change", args=[output.pk]),
        reverse("admin:streams_output_history", args=[output.pk]),
        reverse("admin:streams_show_change", args=[on_air.show_id]),
        reverse("admin:streams_broadcast_changelist"),
        reverse("admin:streams_broadcast_change", args=[on_air.pk]),
        reverse("admin:accounts_auditentry_changelist"),
    ]

    for page in pages:
        answer = browser.get(page)
        assert answer.status_code == 200, page
        assert_no_key(answer.content.decode())


def test_admin_form_with_a_mistake_does_not_show_the_key_again(browser: Browser) -> None:
    page = reverse("admin:streams_output_add")
    values = {"name": "", "kind": "rtmp", "url": RTMP_URL, "stream_key": CANARY_KEY}

    answer = browser.post(page, values)

    assert answer.status_code == 200
    assert 'type="password"' in answer.content.decode()
    assert_no_key(answer.content.decode())


def test_no_log_line_holds_a_key(
    cast: Cast, alice: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    alice.post("outputs/", {"name": "A", "url": "rtmp://", "stream_key": CANARY_KEY})
    alice.post("outputs/", {"name": "A", "url": RTMP_URL, "stream_key": CANARY_KEY})

    for line in caplog.record_tuples:
        assert_no_key(str(line))
