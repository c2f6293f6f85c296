"""ETags: 304 for what the client has, 412 for what somebody else changed in the meantime."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streams.models import Broadcast, Cue, Show
from streams.services import rundown
from tests.factories import Cast, error_of
from tests.streams.plans import API, Client, make_output, make_schedule, make_show


def read(client: Client, path: str, **headers: str) -> Any:
    return client.raw.get(API + path, headers=headers)


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


@pytest.mark.parametrize(
    "path",
    ["shows/", "shows/{show}/", "shows/{show}/cues/", "avatars/", "voices/", "outputs/", "me/",
     "broadcasts/", "broadcasts/{broadcast}/", "broadcasts/{broadcast}/utterances/"],
)  # fmt: skip
def test_reader_who_has_it_is_not_sent_it_again(
    path: str, alice: Client, show: Show, broadcast: Broadcast
) -> None:
    path = path.format(show=show.pk, broadcast=broadcast.pk)
    first = read(alice, path)

    second = read(alice, path, if_none_match=first["ETag"])

    assert first.status_code == 200
    assert (second.status_code, second.content) == (304, b"")
    assert second["ETag"] == first["ETag"]
    assert first["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first["Vary"]


def _new_cue(cast: Cast, show: Show) -> None:
    rundown.add_cues(show=show, cues=[{"text": "新的。"}], actor=cast.alice)


def _other_order(cast: Cast, show: Show) -> None:
    order = [cue.pk for cue in show.cues.all()][::-1]
    rundown.reorder_cues(show=show, order=order, actor=cast.alice)


CHANGES = {
    "title": lambda cast, show: Client(cast.alice).patch(f"shows/{show.pk}/", {"title": "New"}),
    "new cue": _new_cue,
    "order": _other_order,
    "changed cue": lambda cast, show: rundown.update_cue(
        cue=show.cues.first(), values={"text": "换了。"}, actor=cast.alice
    ),
    "last cue gone": lambda cast, show: Cue.objects.filter(show=show).last().delete(),
    "schedule": lambda cast, show: make_schedule(show),
    "outputs": lambda cast, show: show.outputs.add(make_output(cast.organization, cast.alice)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_show_is_another_version(
    change: str, cast: Cast, alice: Client, show: Show
) -> None:
    etag = read(alice, f"shows/{show.pk}/")["ETag"]

    CHANGES[change](cast, show)
    again = read(alice, f"shows/{show.pk}/", if_none_match=etag)

    assert again.status_code == 200
    assert again["ETag"] != etag


def test_show_with_many_cues_is_judged_without_reading_them(alice: Client, show: Show) -> None:
    rows = [Cue(show=show, position=10 + n, text="好。") for n in range(100)]
    Cue.objects.bulk_create(rows)
    etag = read(alice, f"shows/{show.pk}/")["ETag"]

    with CaptureQueriesContext(connection) as counted:
        again = read(alice, f"shows/{show.pk}/", if_none_match=etag)

    assert again.status_code == 304
    read_cues = [query["sql"] for query in counted if "streams_cue" in query["sql"]]
    assert len(read_cues) == 1
    assert "COUNT" in read_cues[0]
    assert len(counted) <= 6


def test_version_is_told_to_nobody_who_may_not_read(
    alice: Client, charlie: Client, show: Show
) -> None:
    etag = read(alice, f"shows/{show.pk}/")["ETag"]

    assert read(charlie, f"shows/{show.pk}/", if_none_match=etag).status_code == 404
    assert read(charlie, f"shows/{show.pk}/", if_none_match="*").status_code == 404


def test_second_of_two_editors_overwrites_nothing(alice: Client, show: Show) -> None:
    path, body = f"{API}shows/{show.pk}/", {"title": "Mine"}
    etag = read(alice, f"shows/{show.pk}/")["ETag"]

    first = alice.raw.patch(path, body, headers={"If-Match": etag})
    second = alice.raw.patch(path, {"title": "Theirs"}, headers={"If-Match": etag})

    assert first.status_code == 200
    assert second.status_code == 412
    assert error_of(second)["code"] == "precondition_failed"
    show.refresh_from_db()
    assert show.title == "Mine"


def test_if_match_holds_for_every_kind_of_change(cast: Cast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice)
    path = f"{API}outputs/{output.pk}/"
    etag = alice.raw.get(path)["ETag"]

    stale = alice.raw.delete(path, headers={"If-Match": 'W/"older"'})
    fresh = alice.raw.patch(path, {"name": "New"}, headers={"If-Match": etag})
    gone = alice.raw.delete(path, headers={"If-Match": "*"})

    assert (stale.status_code, fresh.status_code, gone.status_code) == (412, 200, 204)


def test_refused_change_with_if_match_writes_nothing(alice: Client, show: Show) -> None:
    etag = read(alice, f"shows/{show.pk}/")["ETag"]

    refused = alice.raw.patch(
        f"{API}shows/{show.pk}/",
        {"title": "New", "cues": [{"text": "[nothing]"}]},
        headers={"If-Match": etag},
    )

    assert refused.status_code == 400
    assert Show.objects.get(pk=show.pk).title == show.title
    assert show.cues.count() == 2
