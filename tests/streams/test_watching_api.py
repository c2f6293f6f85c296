"""Tickets, WHEP, thumbnails and recordings through the API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.test import AsyncClient

from inference.protocol import Signal
from streams.errors import RunnerUnreachableError
from streams.models import Broadcast, ConnectionTicket, Recording, Show, WhepViewer
from streams.services import signalling
from streams.services.lifecycle import finish_broadcast, start_broadcast
from streams.services.offers import source_of
from streams.services.thumbnails import keep_thumbnail
from streams.services.tickets import TicketRefusedError, consume_ticket, create_ticket
from streams.services.whep import parse_fragment
from tests.factories import Cast, error_of
from tests.streams.plans import API, Client, make_show

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
ANSWER = OFFER + "a=candidate:1 1 udp 1 127.0.0.1 5000 typ host\r\n"
ORIGIN = "https://studio.example.org"


class Runner:
    """Signalling of a runner: notes what it is asked, answers what the test says."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        self.answer: tuple[str, dict[str, Any]] = ("answer", {"sdp": ANSWER})
        self.is_reachable = True

    async def request(
        self, broadcast_id: Any, viewer: str, kind: str, data: Any, **_: Any
    ) -> Signal:
        self.heard.append((str(broadcast_id), kind, data))
        if not self.is_reachable:
            raise RunnerUnreachableError(retry_after_seconds=2)
        signal = Signal(viewer, "1", *self.answer)
        signalling.raise_refusal(signal)
        return signal

    async def tell(self, broadcast_id: Any, viewer: str, kind: str, data: Any) -> None:
        self.heard.append((str(broadcast_id), kind, data))


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    runner = Runner()
    monkeypatch.setattr(signalling, "request", runner.request)
    monkeypatch.setattr(signalling, "tell", runner.tell)
    return runner


def set_visibility(broadcast: Broadcast, visibility: str) -> None:
    Show.objects.filter(pk=broadcast.show_id).update(visibility=visibility)


def post_offer(
    client: Client, target: Any, body: str = OFFER, kind: str = "application/sdp"
) -> Any:
    return client.raw.generic("POST", f"{API}broadcasts/{target}/whep/", body, content_type=kind)


# --- tickets -------------------------------------------------------------------------------------


def test_ticket_opens_one_connection_from_its_origin(
    cast: Cast, broadcast: Broadcast, alice: Client
) -> None:
    answer = alice.post(
        "ws-tickets/", {"purpose": "console", "broadcast": str(broadcast.pk)}, Origin=ORIGIN
    )

    assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
    ticket = answer.json()["ticket"]
    grant = consume_ticket(ticket, origin=ORIGIN)
    assert (grant.user, grant.broadcast_id) == (cast.alice, broadcast.pk)
    assert (grant.organization_id, grant.purpose) == (cast.organization.pk, "console")
    with pytest.raises(TicketRefusedError):
        consume_ticket(ticket, origin=ORIGIN)


def test_ticket_is_kept_hashed(broadcast: Broadcast, alice: Client) -> None:
    body = {"purpose": "console", "broadcast": str(broadcast.pk)}

    ticket = alice.post("ws-tickets/", body).json()["ticket"]

    assert ticket not in str(ConnectionTicket.objects.values().get())


def test_ticket_from_another_origin_is_refused_and_spent(
    broadcast: Broadcast, alice: Client
) -> None:
    body = {"purpose": "console", "broadcast": str(broadcast.pk)}
    ticket = alice.post("ws-tickets/", body, Origin=ORIGIN).json()["ticket"]

    for origin in ("https://evil.example.org", ORIGIN):
        with pytest.raises(TicketRefusedError):
            consume_ticket(ticket, origin=origin)


def test_ticket_ends_after_thirty_seconds(broadcast: Broadcast) -> None:
    with time_machine.travel(datetime(2027, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        tickets = [
            create_ticket(broadcast=broadcast, purpose="watch", user=None, origin="")
            for _ in range(2)
        ]

        clock.shift(30)
        consume_ticket(tickets[0], origin="")
        clock.shift(1)
        with pytest.raises(TicketRefusedError):
            consume_ticket(tickets[1], origin="")


def test_ticket_of_a_user_who_was_locked_out_is_refused(
    cast: Cast, broadcast: Broadcast, alice: Client
) -> None:
    body = {"purpose": "console", "broadcast": str(broadcast.pk)}
    ticket = alice.post("ws-tickets/", body).json()["ticket"]
    cast.alice.is_active = False
    cast.alice.save()

    with pytest.raises(TicketRefusedError):
        consume_ticket(ticket, origin="")


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_watch_ticket_of_an_open_show_needs_no_sign_in(
    broadcast: Broadcast, nobody: Client, visibility: str
) -> None:
    set_visibility(broadcast, visibility)

    answer = nobody.post("ws-tickets/", {"purpose": "watch", "broadcast": str(broadcast.pk)})

    assert answer.status_code == 201
    assert consume_ticket(answer.json()["ticket"], origin="").user is None


def test_watch_ticket_finds_the_live_airing_of_a_show(broadcast: Broadcast, nobody: Client) -> None:
    set_visibility(broadcast, "public")
    body = {"purpose": "watch", "broadcast": str(broadcast.show_id)}

    on_air = nobody.post("ws-tickets/", body)
    finish_broadcast(broadcast=broadcast, state="ended")
    over = nobody.post("ws-tickets/", body)

    assert on_air.json()["broadcast"] == str(broadcast.pk)
    assert (over.status_code, error_of(over)["code"]) == (409, "not_live")


def test_private_show_is_watched_by_members_only(
    broadcast: Broadcast, dora: Client, charlie: Client, nobody: Client
) -> None:
    body = {"purpose": "watch", "broadcast": str(broadcast.pk)}

    statuses = [client.post("ws-tickets/", body).status_code for client in (dora, charlie, nobody)]

    assert statuses == [201, 404, 401]


def test_console_ticket_is_for_members_even_of_a_public_show(
    broadcast: Broadcast, charlie: Client, nobody: Client
) -> None:
    set_visibility(broadcast, "public")
    body = {"purpose": "console", "broadcast": str(broadcast.pk)}

    assert [c.post("ws-tickets/", body).status_code for c in (charlie, nobody)] == [404, 401]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purpose"),
        ({"purpose": "spy", "broadcast": str(uuid4())}, "purpose"),
        ({"purpose": "watch"}, "broadcast"),
        ({"purpose": "watch", "broadcast": "main"}, "broadcast"),
    ],
)
def test_ticket_refuses_bad_body(alice: Client, body: Any, field: str) -> None:
    answer = alice.post("ws-tickets/", body)

    assert (answer.status_code, error_of(answer)["details"][0]["field"]) == (400, field)


# --- WHEP ----------------------------------------------------------------------------------------


def test_whep_answers_201_with_location_and_sdp(
    broadcast: Broadcast, nobody: Client, runner: Runner
) -> None:
    set_visibility(broadcast, "public")
    nobody.raw.defaults["REMOTE_ADDR"] = "203.0.113.9"

    answer = post_offer(nobody, broadcast.pk)

    assert answer.status_code == 201, answer.content
    assert answer["Content-Type"] == "application/sdp"
    assert answer["Location"].startswith(f"/api/v1/broadcasts/{broadcast.pk}/whep/")
    assert answer["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert answer.content.decode() == ANSWER
    [(heard_by, kind, data)] = runner.heard
    assert (heard_by, kind, data["sdp"]) == (str(broadcast.pk), "offer", OFFER)
    assert data["source"] == source_of("203.0.113.9")


def test_whep_viewer_trickles_and_leaves(
    broadcast: Broadcast, nobody: Client, runner: Runner
) -> None:
    set_visibility(broadcast, "public")
    location = post_offer(nobody, broadcast.pk)["Location"]
    fragment = "a=mid:1\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n"

    patched = nobody.raw.generic(
        "PATCH", location, fragment, content_type="application/trickle-ice-sdpfrag"
    )
    left = nobody.raw.delete(location)
    again = nobody.raw.delete(location)

    assert (patched.status_code, left.status_code, again.status_code) == (204, 204, 404)
    kinds = [kind for _, kind, _ in runner.heard]
    assert kinds == ["offer", "candidate", "bye"]
    assert runner.heard[1][2]["sdpMid"] == "1"


def test_whep_viewer_of_another_broadcast_is_not_found(
    cast: Cast, broadcast: Broadcast, nobody: Client, runner: Runner
) -> None:
    set_visibility(broadcast, "public")
    viewer = post_offer(nobody, broadcast.pk)["Location"].split("/")[-2]
    other = start_broadcast(show=make_show(cast.organization, cast.alice), actor=cast.alice)

    assert nobody.delete(f"broadcasts/{other.pk}/whep/{viewer}/").status_code == 404


def test_whep_of_a_broadcast_that_is_not_live_is_409(
    cast: Cast, alice: Client, runner: Runner
) -> None:
    show = make_show(cast.organization, cast.alice)
    broadcast = start_broadcast(show=show, actor=cast.alice)

    starting = post_offer(alice, broadcast.pk)
    finish_broadcast(broadcast=broadcast, state="ended")
    ended = post_offer(alice, broadcast.pk)

    for answer in (starting, ended):
        assert (answer.status_code, answer["Retry-After"]) == (409, "2")
        assert error_of(answer)["code"] == "not_live"
    assert runner.heard == []


@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [("viewer_limit", 503, "10"), ("no_h264", 406, None), ("ice_failed", 503, "5")],
)
def test_whep_tells_what_the_runner_refuses(
    broadcast: Broadcast,
    alice: Client,
    runner: Runner,
    code: str,
    status: int,
    retry_after: str | None,
) -> None:
    runner.answer = ("error", {"code": code, "message": "No."})

    answer = post_offer(alice, broadcast.pk)

    assert (answer.status_code, answer.get("Retry-After")) == (status, retry_after)
    assert error_of(answer)["message"] == "No."
    assert answer["Content-Type"].startswith("application/json")
    assert not WhepViewer.objects.exists()


def test_whep_without_a_runner_is_503(broadcast: Broadcast, alice: Client, runner: Runner) -> None:
    runner.is_reachable = False

    answer = post_offer(alice, broadcast.pk)

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_whep_takes_sdp_only(broadcast: Broadcast, alice: Client, runner: Runner) -> None:
    answer = post_offer(alice, broadcast.pk, "{}", "application/json")

    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", ["", "hello", "v=1\r\nm=video", "v=0\r\ns=-\r\n", "v=0" * 30_000])
def test_whep_refuses_what_is_no_offer(
    broadcast: Broadcast, alice: Client, runner: Runner, body: str
) -> None:
    answer = post_offer(alice, broadcast.pk, body)

    assert answer.status_code == 400
    assert error_of(answer)["message"]
    assert runner.heard == []


def test_whep_of_a_private_show_needs_a_member(
    broadcast: Broadcast, dora: Client, charlie: Client, nobody: Client, runner: Runner
) -> None:
    statuses = [post_offer(c, broadcast.pk).status_code for c in (dora, charlie, nobody)]

    assert statuses == [201, 404, 401]
    assert post_offer(nobody, uuid4()).status_code == 404


def test_whep_tells_what_it_takes(broadcast: Broadcast, nobody: Client) -> None:
    answer = nobody.raw.options(f"{API}broadcasts/{broadcast.pk}/whep/")

    assert (answer.status_code, answer["Accept-Post"]) == (204, "application/sdp")


def test_fragment_gives_each_candidate_its_medium() -> None:
    fragment = (
        "a=ice-ufrag:x\r\nm=audio 9 UDP 0\r\na=mid:0\r\na=candidate:1 a\r\n"
        "m=video 9 UDP 0\r\na=mid:1\r\na=candidate:2 b\r\na=end-of-candidates\r\n"
    )

    assert parse_fragment(fragment) == [
        {"candidate": "candidate:1 a", "sdpMid": "0", "sdpMLineIndex": 0},
        {"candidate": "candidate:2 b", "sdpMid": "1", "sdpMLineIndex": 1},
    ]


# --- thumbnails ----------------------------------------------------------------------------------


def test_thumbnail_is_shown_once_there_is_one(broadcast: Broadcast, alice: Client) -> None:
    path = f"broadcasts/{broadcast.pk}/thumbnail/"

    # A page that keeps asking wants no errors in the browser's console.
    before, quiet = alice.get(path), alice.get(f"{path}?empty=true")
    kept = keep_thumbnail(broadcast.pk, b"\xff\xd8picture")
    after = alice.get(f"{path}?empty=true")

    assert (before.status_code, quiet.status_code, quiet.content, kept) == (404, 204, b"", True)
    assert (after.status_code, after["Content-Type"]) == (200, "image/jpeg")
    assert after.content == b"\xff\xd8picture"


def test_thumbnail_address_works_in_an_img_without_sign_in(
    broadcast: Broadcast, alice: Client, nobody: Client, charlie: Client
) -> None:
    keep_thumbnail(broadcast.pk, b"\xff\xd8picture")
    url = alice.get(f"broadcasts/{broadcast.pk}/").json()["thumbnail_url"]

    assert nobody.raw.get(url).status_code == 200
    assert nobody.raw.get(url + "x").status_code == 401
    assert charlie.get(f"broadcasts/{broadcast.pk}/thumbnail/").status_code == 404


def test_thumbnail_that_is_too_large_or_no_jpeg_is_not_kept(broadcast: Broadcast) -> None:
    assert not keep_thumbnail(broadcast.pk, b"\xff\xd8" + b"x" * 20_000)
    assert not keep_thumbnail(broadcast.pk, b"GIF89a")


# --- recordings ----------------------------------------------------------------------------------


@pytest.fixture
def recording(broadcast: Broadcast) -> Recording:
    """A file of 1,000 different bytes."""
    folder = Path(settings.RECORDINGS_DIR) / str(broadcast.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.mp4").write_bytes(bytes(index % 251 for index in range(1000)))
    return Recording.objects.create(
        broadcast=broadcast, runner_key="1", path=f"{broadcast.pk}/a.mp4", state="finished"
    )


async def fetch(client: Client, recording: Recording, **headers: str) -> tuple[Any, bytes]:
    """Over ASGI, as Daphne serves it: the file is an asynchronous stream there."""
    credentials = client.raw._credentials["HTTP_AUTHORIZATION"]
    path = f"{API}recordings/{recording.pk}/file/"
    answer = await AsyncClient().get(path, headers={"Authorization": credentials, **headers})
    if not answer.streaming:
        return answer, answer.content
    return answer, b"".join([chunk async for chunk in answer.streaming_content])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("header", "status", "first", "length"),
    [
        (None, 200, 0, 1000),
        ("bytes=0-99", 206, 0, 100),
        ("bytes=900-", 206, 900, 100),
        ("bytes=-10", 206, 990, 10),
        ("bytes=990-5000", 206, 990, 10),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=5-1", 200, 0, 1000),
        ("bytes=0-1,5-6", 200, 0, 1000),
        ("lines=1-2", 200, 0, 1000),
    ],
)
async def test_recording_is_served_in_ranges(
    alice: Client, recording: Recording, header: str | None, status: int, first: int, length: int
) -> None:
    headers = {"Range": header} if header else {}

    answer, body = await fetch(alice, recording, **headers)

    assert answer.status_code == status
    assert body == bytes(index % 251 for index in range(first, first + length))
    assert answer["Content-Length"] == str(length)
    assert answer["Accept-Ranges"] == "bytes"
    if status == 206:
        assert answer["Content-Range"] == f"bytes {first}-{first + length - 1}/1000"


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=2000-3000", "bytes=-0"])
def test_recording_range_outside_the_file_is_416(
    alice: Client, recording: Recording, header: str
) -> None:
    answer = alice.raw.get(f"{API}recordings/{recording.pk}/file/", headers={"Range": header})

    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */1000")
    assert error_of(answer)["code"] == "range_not_satisfiable"


def test_recording_whose_file_is_gone_is_not_found(alice: Client, recording: Recording) -> None:
    for path in ("nowhere.mp4", "../secret_key", "/etc/passwd"):
        Recording.objects.update(path=path)
        assert alice.get(f"recordings/{recording.pk}/file/").status_code == 404


def test_recordings_are_listed_with_a_signed_address(
    recording: Recording, dora: Client, charlie: Client, nobody: Client
) -> None:
    rows = dora.get(f"broadcasts/{recording.broadcast_id}/recordings/").json()["results"]
    url = rows[0]["file_url"]

    outside = nobody.raw.get(url, headers={"Range": "bytes=1000-"})
    assert outside.status_code == 416
    assert nobody.get(f"recordings/{recording.pk}/file/").status_code == 401
    assert charlie.get(f"recordings/{recording.pk}/file/").status_code == 404
