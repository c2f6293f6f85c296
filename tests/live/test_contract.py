"""What customers' programs rely on, step by step against a whole site, as one of them would.

Shapes and answers may grow; a name that goes or means something else breaks programs out there.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest

from benchmarks.platform import Platform
from tests.inference.runner.viewer_peer import Peer
from tests.live.studio import Studio

pytestmark = pytest.mark.long

SECONDS: Final = 60.0
UUID: Final = "00000000-0000-4000-8000-000000000000"
CUE: Final = {
    "id", "position", "kind", "text", "expression", "gesture", "emotion", "clip",
    "pause_seconds", "card",
}  # fmt: skip
SHOW: Final = {
    "id", "title", "avatar", "voice", "language", "profile", "visibility", "background", "cues",
    "rundown_mode", "loop_pause_seconds", "ends", "duration_minutes", "schedule", "outputs",
    "overlays", "record",
}  # fmt: skip
OUTPUT: Final = {"id", "name", "kind", "url", "key_hint", "key_per_broadcast"}
AVATAR: Final = {"id", "name", "engine", "state", "progress", "preview_url", "licences"}
VOICE: Final = {"id", "name", "engine", "language", "settings", "fallbacks", "state"}
BROADCAST: Final = {
    "id", "show", "state", "reason", "started_at", "first_frame_at", "ended_at", "cursor",
    "script", "outputs", "metrics", "thumbnail_url", "watch_url", "runner",
}  # fmt: skip
BROADCAST_OUTPUT: Final = {
    "id", "output", "state", "reason", "bitrate_kbps", "dropped", "reconnects",
}  # fmt: skip
UTTERANCE: Final = {
    "id", "source", "cue", "sentence", "loop", "text", "generation", "state", "started_at",
    "media_time_ms", "played_ms", "duration_ms",
}  # fmt: skip
LATER: Final = (
    f"shows/{UUID}/rehearse/", "scripts/generate/", f"broadcasts/{UUID}/comments/",
    f"broadcasts/{UUID}/chat/", f"broadcasts/{UUID}/simulate/", f"broadcasts/{UUID}/whip/",
)  # fmt: skip


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """Of the one form of errors, which is checked on the way."""
        assert set(self.body) == {"error"}, self.body
        error = self.body["error"]
        assert {"code", "message", "details"} <= set(error), error
        assert error["message"]
        return str(error["code"])


@dataclass(slots=True)
class Customer:
    """A program that has signed in, or has not yet."""

    http: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """headers: `_` for `-` in their names."""
        sent = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        url = path if path.startswith("/") else f"/api/v1/{path}"
        async with self.http.request(method, url, json=body, headers=sent) as answer:
            is_json = answer.content_type == "application/json"
            content = await answer.json() if is_json else await answer.read()
            return Answer(answer.status, dict(answer.headers), content)

    async def made(self, path: str, body: Any = None) -> Any:
        answer = await self.call("POST", path, body)
        assert answer.status == 201, answer.body
        return answer.body

    async def done(self, broadcast: str, verb: str, body: Any = None) -> Any:
        answer = await self.call("POST", f"broadcasts/{broadcast}/{verb}/", body or {})
        assert answer.status == 202, (verb, answer.body)
        return answer.body

    async def row(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    async def until(self, path: str, holds: Callable[[Any], Any], what: str) -> Any:
        end = time.monotonic() + SECONDS
        while not holds(row := await self.row(path)):
            assert time.monotonic() < end, f"{what}: {row}"
            await asyncio.sleep(0.1)
        return row


@pytest.fixture
async def visitor(studio: Studio) -> AsyncIterator[Customer]:
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(studio.platform.base_url, cookie_jar=jar) as http:
        yield Customer(http)


@pytest.fixture
def customer(studio: Studio, visitor: Customer) -> Customer:
    visitor.headers["Authorization"] = f"Bearer {studio.platform.access}"
    return visitor


@pytest.fixture
async def show(customer: Customer) -> Any:
    """Test card and tone, three cues in a loop."""
    name = secrets.token_hex(4)
    face = {"name": name, "engine": "testcard", "settings": {}}
    tone = {"name": name, "engine": "testtone", "language": "en-US", "settings": {}}
    avatar, voice = await customer.made("avatars/", face), await customer.made("voices/", tone)
    cues = [{"text": f"Sentence {number} of a cue."} for number in (1, 2, 3)]
    return await customer.made(
        "shows/",
        {
            "title": "Contract", "avatar": avatar["id"], "voice": voice["id"], "cues": cues,
            "language": "en-US", "profile": "mobile", "visibility": "public",
            "rundown_mode": "loop", "ends": "manual", "record": True,
        },
    )  # fmt: skip


@pytest.fixture
async def broadcast(customer: Customer, show: Any) -> AsyncIterator[str]:
    row = await customer.made(f"shows/{show['id']}/start/", {})
    path = f"broadcasts/{row['id']}/"
    try:
        await customer.until(path, lambda row: row["state"] == "live", "live")
        yield str(row["id"])
    finally:
        if (await customer.row(path))["state"] not in ("ended", "failed"):
            await customer.call("POST", f"{path}stop/", {"when": "now"})
            await customer.until(path, lambda row: row["state"] in ("ended", "failed"), "over")


@pytest.fixture
async def viewer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    await peer.close()


async def test_person_registers_renews_and_signs_out(visitor: Customer, studio: Studio) -> None:
    name = f"{studio.platform.name}_walk"
    person = {"username": name, "password": "correct-horse-9"}
    registered = await visitor.made(
        "auth/register/", {**person, "email": f"{name}@example.org", "organization": name}
    )
    assert {"user", "organization", "access", "refresh"} <= set(registered)
    signed_in = await visitor.call("POST", "auth/token/", {**person, "device_name": "cron"})
    assert (signed_in.status, set(signed_in.body["device"])) == (200, {"id", "name"})

    visitor.headers["Authorization"] = f"Bearer {signed_in.body['access']}"
    assert (await visitor.row("me/"))["username"] == name
    assert len((await visitor.row("auth/devices/"))["results"]) == 2
    stolen = await visitor.call("GET", "me/", X_Device_Id=UUID)
    assert (stolen.status, stolen.code) == (401, "device_mismatch")

    first = signed_in.body["refresh"]
    renewed = await visitor.call("POST", "auth/token/refresh/", {"refresh": first})
    assert renewed.status == 200
    assert renewed.body["refresh"] != first
    visitor.headers["Authorization"] = f"Bearer {renewed.body['access']}"
    assert (await visitor.call("POST", "auth/logout/", {})).status in (200, 204)
    assert (await visitor.call("GET", "me/")).status == 401


async def test_browser_keeps_its_refresh_in_a_cookie(visitor: Customer, studio: Studio) -> None:
    platform = studio.platform
    login = {"username": platform.name, "password": platform.password, "client": "browser"}
    answer = await visitor.call("POST", "auth/token/", login)
    assert (answer.status, answer.body["refresh"]) == (200, None)
    assert "httponly" in answer.headers["Set-Cookie"].lower()


async def test_errors_have_one_form_and_a_code(customer: Customer) -> None:
    seen = {
        "nothing": await customer.call("GET", "nothing/"),
        "foreign": await customer.call("GET", f"shows/{UUID}/"),
        "verb": await customer.call("DELETE", "me/"),
        "body": await customer.call("POST", "shows/", {"title": ""}),
    }
    assert {name: answer.status for name, answer in seen.items()} == {
        "nothing": 404, "foreign": 404, "verb": 405, "body": 400,
    }  # fmt: skip
    assert all(answer.code for answer in seen.values())
    details = seen["body"].body["error"]["details"]
    assert {"title", "avatar", "voice"} <= {detail["field"] for detail in details}
    assert all({"field", "code", "message"} <= set(detail) for detail in details)
    customer.headers.clear()
    assert (await customer.call("GET", "shows/")).status == 401


async def test_organization_is_named_by_who_has_two(visitor: Customer, studio: Studio) -> None:
    # A person of their own: whoever has two names one ever after.
    other = Platform(studio.platform.base_url)
    await asyncio.to_thread(other.register)
    customer = Customer(visitor.http, {"Authorization": f"Bearer {other.access}"})
    second = await customer.made("organizations/", {"name": "Second"})
    refused = await customer.call("GET", "shows/")
    assert (refused.status, refused.code) == (400, "organization_required")
    named = await customer.call("GET", "shows/", X_Organization=second["id"])
    assert (named.status, named.body["results"]) == (200, [])
    assert {"next", "previous", "results"} <= set(named.body)


async def test_show_has_what_programs_read(customer: Customer, show: Any) -> None:
    assert set(show) >= SHOW
    assert all(set(cue) >= CUE for cue in show["cues"])
    path = f"shows/{show['id']}/"
    (fourth,) = await customer.made(f"{path}cues/", [{"kind": "pause", "pause_seconds": 0.8}])
    order = [fourth["id"], *(cue["id"] for cue in show["cues"])]
    turned = await customer.call("PUT", f"{path}rundown/", order)
    assert turned.status == 200, turned.body
    assert [cue["id"] for cue in (await customer.row(path))["cues"]] == order

    plan = {
        "starts_at_local": "2030-03-30T02:30:00", "timezone": "Europe/Berlin",
        "rrule": "FREQ=DAILY", "exdates": [], "catch_up": "join",
    }  # fmt: skip
    changed = {"schedule": plan, "rundown_mode": "once", "ends": "after_rundown"}
    planned = await customer.call("PATCH", path, changed)
    assert planned.status == 200, planned.body
    assert set(planned.body["schedule"]) >= set(plan)
    span = "from=2030-03-30T00:00:00Z&to=2030-04-02T00:00:00Z"
    found = await customer.row(f"{path}occurrences/?{span}")
    assert len(found["results"]) == 3
    assert set(await customer.row(f"avatars/{show['avatar']}/")) >= AVATAR
    assert set(await customer.row(f"voices/{show['voice']}/")) >= VOICE


async def test_key_of_an_output_is_never_told(customer: Customer) -> None:
    made = await customer.made(
        "outputs/",
        {
            "name": "Douyin", "kind": "rtmp", "url": "rtmp://127.0.0.1:19350/live",
            "stream_key": "first-secret-key", "key_per_broadcast": False,
        },
    )  # fmt: skip
    assert set(made) >= OUTPUT
    path = f"outputs/{made['id']}/"
    turned = await customer.call("POST", f"{path}rotate-key/", {"stream_key": "next-secret-key"})
    assert turned.status == 200, turned.body
    for answer in (made, turned.body, await customer.row(path)):
        assert "stream_key" not in answer
        assert "secret" not in str(answer)


async def test_what_is_asked_twice_under_one_key_is_done_once(customer: Customer) -> None:
    body = {"name": "Once", "engine": "testtone", "language": "en-US", "settings": {}}
    ids = set()
    for _ in range(2):
        answer = await customer.call("POST", "voices/", body, Idempotency_Key="walk-1")
        assert answer.status == 201
        ids.add(answer.body["id"])
    assert len(ids) == 1


async def test_verbs_of_a_broadcast(customer: Customer, show: Any, broadcast: str) -> None:
    path = f"broadcasts/{broadcast}/"
    row = await customer.row(path)
    assert set(row) >= BROADCAST
    assert {"cue", "sentence", "loop"} <= set(row["cursor"])
    again = await customer.call("POST", f"shows/{show['id']}/start/", {})
    assert (again.status, again.code) == (409, "already_live")

    said = await customer.done(broadcast, "say", {"text": "A word in between."})
    assert {"id", "state"} <= set(said["utterance"])
    await _until_said(customer, path, said["utterance"]["id"])
    cut = await customer.done(broadcast, "interrupt", {"resume_after_seconds": None})
    assert {"utterance", "generation"} <= set(cut)
    await customer.until(path, lambda row: row["script"] == "held", "held")
    await customer.done(broadcast, "resume")
    await customer.until(path, lambda row: row["script"] == "running", "running")
    await customer.done(broadcast, "pause")
    await customer.until(path, lambda row: row["script"] == "paused", "paused")
    await customer.done(broadcast, "resume")
    third = show["cues"][2]["id"]
    await customer.done(broadcast, "take", {"cue": third})
    await customer.until(path, lambda row: row["cursor"]["cue"] == third, "at the third cue")
    for verb, body in (
        ("skip", {}), ("expression", {"name": "happy"}), ("gesture", {"name": "wave"}),
        ("record", {"on": False}), ("stop", {"when": "sentence_end"}),
    ):  # fmt: skip
        await customer.done(broadcast, verb, body)
    over = await customer.until(path, lambda row: row["state"] == "ended", "ended")
    assert over["ended_at"]
    await _check_what_is_left(customer, path)


async def test_output_is_added_on_air(customer: Customer, broadcast: str) -> None:
    body = {"name": "Daily", "kind": "rtmp", "url": "rtmp://127.0.0.1:19350/live"}
    output = await customer.made("outputs/", {**body, "key_per_broadcast": True})
    path = f"broadcasts/{broadcast}/"
    added = await customer.made(f"{path}outputs/", {"output": output["id"]})
    assert set(added) >= BROADCAST_OUTPUT

    def is_waiting(row: Any) -> bool:
        return any(out["state"] == "waiting_for_key" for out in row["outputs"])

    await customer.until(path, is_waiting, "waiting for the key of the day")
    for verb, key in (("replace-key", {"stream_key": "of-today"}), ("stop", {}), ("start", {})):
        answer = await customer.call("POST", f"{path}outputs/{added['id']}/{verb}/", key)
        assert answer.status == 202, (verb, answer.body)


async def test_console_by_socket(customer: Customer, broadcast: str) -> None:
    path = f"/ws/v1/broadcasts/{broadcast}/console/"
    asked = {"purpose": "console", "broadcast": broadcast}
    ticket = await customer.made("ws-tickets/", asked)
    assert ticket["expires_in"] == 30
    protocols = ("livestudio.v1", f"ticket.{ticket['ticket']}")
    async with customer.http.ws_connect(path, protocols=protocols) as socket:
        assert socket.protocol == "livestudio.v1"
        welcome = await socket.receive_json()
        assert welcome["type"] == "welcome"
        assert {"version", "broadcast", "permissions"} <= set(welcome)
        command = {"type": "command", "id": "c1", "name": "say", "args": {"text": "By socket."}}
        await socket.send_json(command)
        await socket.send_json({"type": "replay", "after_sequence": 0})
        seen = await _collect(socket, {"result", "cursor", "utterance", "event", "metrics"})
        await socket.send_json({**command, "id": "c2", "name": "stop", "args": {"when": "now"}})
        seen["state"] = (await _collect(socket, {"state"}))["state"]
    assert seen["result"]["ok"] is True
    assert seen["result"]["id"] == "c1"
    assert {"sequence", "kind", "at", "data"} <= set(seen["event"])

    async with customer.http.ws_connect(path, protocols=protocols) as socket:
        await socket.receive()
        assert socket.close_code == 4401  # a ticket is for one use


async def test_watching_by_socket_and_by_whep(
    customer: Customer, broadcast: str, viewer: Peer
) -> None:
    whep = f"/api/v1/broadcasts/{broadcast}/whep/"
    offer = await viewer.offer()
    sdp = {"Content-Type": "application/sdp"}
    async with customer.http.post(whep, data=offer, headers=sdp) as answer:
        assert (answer.status, answer.content_type) == (201, "application/sdp")
        assert "a=candidate" in await answer.text()
        place = answer.headers["Location"]
    async with customer.http.delete(place) as answer:
        assert answer.status in (200, 204)
    without = "\r\n".join(line for line in offer.splitlines() if "H264" not in line) + "\r\n"
    async with customer.http.post(whep, data=without, headers=sdp) as answer:
        assert answer.status == 406

    visitor = Customer(customer.http)  # a public show needs no sign-in
    ticket = await visitor.made("ws-tickets/", {"purpose": "watch", "broadcast": broadcast})
    protocols = ("livestudio.v1", f"ticket.{ticket['ticket']}")
    path = f"/ws/v1/broadcasts/{broadcast}/watch/"
    async with customer.http.ws_connect(path, protocols=protocols) as socket:
        await socket.send_json({"type": "offer", "sdp": await viewer.offer()})
        seen = await _collect(socket, {"state", "answer", "caption", "viseme"})
    assert {"utterance", "text", "start_ms", "end_ms"} <= set(seen["caption"])
    assert {"utterance", "start_ms", "items"} <= set(seen["viseme"])


async def test_over_is_told_to_who_comes_late(customer: Customer, show: Any, viewer: Peer) -> None:
    broadcast = await customer.made(f"shows/{show['id']}/start/", {})
    path = f"broadcasts/{broadcast['id']}/"
    await customer.done(broadcast["id"], "stop", {"when": "now"})
    await customer.until(path, lambda row: row["state"] in ("ended", "failed"), "over")
    sdp = {"Content-Type": "application/sdp"}
    url = f"/api/v1/{path}whep/"
    async with customer.http.post(url, data=await viewer.offer(), headers=sdp) as answer:
        assert answer.status == 409
        assert int(answer.headers["Retry-After"]) > 0


async def test_public_pages_and_what_is_not_there_yet(customer: Customer, show: Any) -> None:
    visitor = Customer(customer.http)
    for path in ("/livez", "/readyz", f"/watch/{show['id']}/", "/studio/", "/api/v1/docs/"):
        assert (await visitor.call("GET", path)).status == 200, path
    assert (await visitor.call("GET", "/admin/")).status in (200, 302)
    schema = await visitor.call("GET", "/api/v1/schema/", Accept="application/json")
    assert schema.status == 200
    for path in LATER:
        for method in ("GET", "POST"):
            assert (await customer.call(method, path, {})).status == 404, path
    paths = str(schema.body)
    assert not [word for word in ("rehearse", "comments", "simulate", "/whip/") if word in paths]


async def _until_said(customer: Customer, path: str, utterance: str) -> None:
    def is_said(page: Any) -> bool:
        return any(row["id"] == utterance and row["state"] == "said" for row in page["results"])

    page = await customer.until(f"{path}utterances/", is_said, "said")
    assert all(set(row) >= UTTERANCE for row in page["results"])


async def _check_what_is_left(customer: Customer, path: str) -> None:
    """Transcript, events, figures and the recording of a broadcast that is over."""
    for name in ("utterances", "events"):
        assert (await customer.row(f"{path}{name}/"))["results"]
    assert (await customer.call("GET", f"{path}metrics/")).status == 200
    (recording,) = (await customer.row(f"{path}recordings/"))["results"]
    part = await customer.call("GET", f"recordings/{recording['id']}/file/", Range="bytes=0-99")
    assert (part.status, len(part.body)) == (206, 100)
    assert part.body[4:8] == b"ftyp"


async def _collect(socket: aiohttp.ClientWebSocketResponse, kinds: set[str]) -> dict[str, Any]:
    """The first message of each kind."""
    seen: dict[str, Any] = {}
    end = time.monotonic() + SECONDS
    while kinds - set(seen):
        assert time.monotonic() < end, f"not told: {kinds - set(seen)}"
        message = await socket.receive_json(timeout=SECONDS)
        seen.setdefault(message["type"], message)
    return seen
