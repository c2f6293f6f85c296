"""Every list of the API: what narrows it, what orders it, and how many queries it costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import record
from accounts.roles import Role
from accounts.services import api_keys
from avatars.models import AvatarClip
from streams.models import (
    Broadcast,
    BroadcastEvent,
    BroadcastOutput,
    BroadcastState,
    Cue,
    Recording,
    Utterance,
)
from streams.models.broadcast import MetricSample
from tests.factories import (
    AvatarFactory,
    Cast,
    VoiceFactory,
    add_member,
    error_of,
    make_invitation,
)
from tests.streams.pictures import make_picture
from tests.streams.plans import Client, make_output, make_show
from voices.models import Pronunciation


def add_show(cast: Cast, broadcast: Broadcast, n: int) -> None:
    make_show(cast.organization, cast.alice, title=f"Show {n}", outputs=[])


def add_broadcast(cast: Cast, broadcast: Broadcast, n: int) -> None:
    row = Broadcast.objects.create(
        organization=cast.organization, show=broadcast.show, state="ended", snapshot={"cues": []}
    )
    BroadcastOutput.objects.create(broadcast=row, name="Main", kind="rtmp")


def add_key(cast: Cast, broadcast: Broadcast, n: int) -> None:
    draft = api_keys.ApiKeyDraft(f"Key {n}", frozenset({"show.view"}))
    api_keys.create_api_key(organization=cast.organization, draft=draft, actor=cast.alice)


def add_word(cast: Cast, broadcast: Broadcast, n: int) -> None:
    Pronunciation.objects.create(
        organization=cast.organization, language="zh-CN", text=f"字{n}", reading="zi4"
    )


ADD: dict[str, Callable[[Cast, Broadcast, int], Any]] = {
    "shows/": add_show,
    "outputs/": lambda cast, _, n: make_output(cast.organization, cast.alice, name=f"Main {n}"),
    "pictures/": lambda cast, _, n: make_picture(cast.organization, name=f"Tea {n}"),
    "broadcasts/": add_broadcast,
    "avatars/": lambda cast, _, n: AvatarFactory(organization=cast.organization),
    "voices/": lambda cast, _, n: VoiceFactory(organization=cast.organization),
    "pronunciations/": add_word,
    "organizations/{organization}/members/": lambda cast, _, n: add_member(
        cast.organization, Role.VIEWER
    ),
    "organizations/{organization}/invitations/": lambda cast, _, n: make_invitation(
        cast, f"dora{n}@example.org"
    ),
    "organizations/{organization}/api-keys/": add_key,
    "organizations/{organization}/audit/": lambda cast, _, n: record(
        cast.alice, "streams.show.started", cast.organization, data={"n": n}
    ),
    "avatars/{avatar}/clips/": lambda cast, broadcast, n: AvatarClip.objects.create(
        avatar=broadcast.show.avatar, name=f"Bow {n}", engine_name="bow"
    ),
    "shows/{show}/cues/": lambda _, broadcast, n: Cue.objects.create(
        show=broadcast.show, position=100 + n, text="好。"
    ),
    "broadcasts/{broadcast}/utterances/": lambda _, broadcast, n: Utterance.objects.create(
        broadcast=broadcast, source="script", text="好。"
    ),
    "broadcasts/{broadcast}/events/": lambda _, broadcast, n: BroadcastEvent.objects.create(
        broadcast=broadcast, sequence=1000 + n, kind="cursor", at=timezone.now(), data={}
    ),
    "broadcasts/{broadcast}/metrics/": lambda _, broadcast, n: MetricSample.objects.create(
        broadcast=broadcast, at=timezone.now(), values={"fps": 25}
    ),
    "broadcasts/{broadcast}/recordings/": lambda _, broadcast, n: Recording.objects.create(
        broadcast=broadcast, runner_key=str(n), path=f"{n}.mp4", state="finished"
    ),
    "broadcasts/{broadcast}/outputs/": lambda _, broadcast, n: BroadcastOutput.objects.create(
        broadcast=broadcast, name=f"Main {n}", kind="rtmp"
    ),
}
QUERIES_MAX = 8


def address(path: str, cast: Cast, broadcast: Broadcast) -> str:
    show = broadcast.show
    return path.format(
        organization=cast.organization.pk,
        show=show.pk,
        avatar=show.avatar_id,
        broadcast=broadcast.pk,
    )


@pytest.mark.parametrize("path", ADD)
def test_list_costs_the_same_queries_with_one_row_and_with_twenty(
    path: str, cast: Cast, alice: Client, broadcast: Broadcast
) -> None:
    url = address(path, cast, broadcast)
    ADD[path](cast, broadcast, 0)
    few = _queries(alice, url)

    for n in range(1, 20):
        ADD[path](cast, broadcast, n)
    many = _queries(alice, url)

    assert len(alice.get(url).json()["results"]) >= 20
    assert many <= few <= QUERIES_MAX


@pytest.mark.parametrize("path", [*ADD, "auth/devices/", "airings/", "shows/{show}/occurrences/"])
def test_list_refuses_what_it_does_not_know(
    path: str, cast: Cast, alice: Client, broadcast: Broadcast
) -> None:
    answer = alice.get(address(path, cast, broadcast), statr="live")

    assert answer.status_code == 400
    [detail] = error_of(answer)["details"]
    assert (detail["field"], detail["code"]) == ("statr", "unknown")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "onair"}, "state"),
        ({"state": "live,onair"}, "state"),
        ({"show": "nonsense"}, "show"),
        ({"started_after": "yesterday"}, "started_after"),
        ({"ordering": "title"}, "ordering"),
        ({"page_size": "many"}, "page_size"),
        ({"page_size": "0"}, "page_size"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "cD1ub25zZW5zZQ=="}, "cursor"),  # well-formed, of no list
        ({"cursor": "bz0tMQ=="}, "cursor"),  # an offset below 0
    ],
)
def test_wrong_values_in_the_query_are_named(
    query: dict[str, str], field: str, alice: Client, broadcast: Broadcast
) -> None:
    answer = alice.get("broadcasts/", **query)

    assert answer.status_code == 400
    assert error_of(answer)["code"] == "invalid"
    assert field in {detail["field"] for detail in error_of(answer)["details"]}


def test_choices_are_named_in_the_refusal(alice: Client) -> None:
    [detail] = error_of(alice.get("broadcasts/", state="onair"))["details"]

    assert all(state in detail["message"] for state in BroadcastState.values)


def test_filters_narrow_the_list(cast: Cast, alice: Client, broadcast: Broadcast) -> None:
    other = make_show(
        cast.organization, cast.alice, title="Morning tea", visibility="public", language="en-US"
    )
    expected = {
        "title": ("TEA", {str(other.pk)}),
        "visibility": ("public,unlisted", {str(other.pk)}),
        "language": ("en-US", {str(other.pk)}),
        "scheduled": ("true", set()),
        "avatar": (str(other.avatar_id), {str(other.pk), str(broadcast.show_id)}),
    }

    for name, (value, found) in expected.items():
        results = alice.get("shows/", **{name: value}).json()["results"]
        assert {show["id"] for show in results} == found, name


def test_filters_of_a_broadcast_and_its_transcript(alice: Client, broadcast: Broadcast) -> None:
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    Utterance.objects.create(broadcast=broadcast, source="operator", text="好。", state="said")
    of = f"broadcasts/{broadcast.pk}"

    assert len(alice.get("broadcasts/", state="live,starting").json()["results"]) == 1
    assert alice.get("broadcasts/", state="ended").json()["results"] == []
    assert alice.get("broadcasts/", started_after=later).json()["results"] == []
    assert len(alice.get(f"{of}/utterances/", source="operator").json()["results"]) == 1
    assert alice.get(f"{of}/utterances/", state="failed").json()["results"] == []


def test_pages_by_a_time_that_is_not_known_yet_lose_no_row(
    cast: Cast, alice: Client, broadcast: Broadcast
) -> None:
    for n in range(4):
        add_broadcast(cast, broadcast, n)  # none of them has started

    for ordering in ("started_at", "-started_at"):
        seen, query = [], {"ordering": ordering, "page_size": "2"}
        while True:
            page = alice.get("broadcasts/", **query).json()
            seen += [row["id"] for row in page["results"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"].split("cursor=")[1].split("&")[0].replace("%3D", "=")
        assert len(seen) == len(set(seen)) == 5, ordering


def _queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as counted:
        answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return len(counted)
