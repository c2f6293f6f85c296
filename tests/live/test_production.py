"""Production mode as the documentation describes it: nginx, two web processes, MariaDB, Redis."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any

import aiohttp
import pytest

from benchmarks.platform import Platform
from livestudio.common.parsers import LARGEST_BODY_BYTES
from tests.front import FrontServer, front_server
from tests.inference.runner.viewer_peer import Peer, eventually
from tests.live.cluster import Cluster, customer, production_cluster, trust
from tests.services import free_port

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Cluster, FrontServer]]:
    with production_cluster(METRICS_ALLOW="203.0.113.0/24") as site:
        yield site


@pytest.fixture(scope="module")
def cluster(site: tuple[Cluster, FrontServer]) -> Cluster:
    return site[0]


@pytest.fixture(scope="module")
def front(site: tuple[Cluster, FrontServer]) -> FrontServer:
    return site[1]


@pytest.fixture(scope="module")
def platform(front: FrontServer) -> Platform:
    return customer(front)


@asynccontextmanager
async def visiting(front: FrontServer) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trust(front))
    async with aiohttp.ClientSession(front.url, connector=connector) as session:
        yield session


async def test_pages_and_files_come_with_their_headers(front: FrontServer) -> None:
    async with visiting(front) as visitor:
        async with visitor.get("/studio/") as page:
            text = await page.text()
        script = text.partition('type="module" crossorigin src="')[2].partition('"')[0]
        assert page.status == 200
        assert "max-age=" in page.headers["Strict-Transport-Security"]
        assert "Server" in page.headers
        assert "/" not in page.headers["Server"]
        assert "gzip" == page.headers.get("Content-Encoding", "gzip")

        async with visitor.get(script) as first, visitor.get(script) as second:
            assert (first.status, second.status) == (200, 200)
            assert "javascript" in second.headers["Content-Type"]
            assert "max-age" in second.headers["Cache-Control"]
        async with visitor.get("/admin/") as admin:
            assert admin.status == 200
            assert admin.url.path == "/admin/login/"


async def test_plain_http_leads_to_https(front: FrontServer) -> None:
    address = f"http://localhost:{front.http_port}/studio/?a=1"
    async with (
        aiohttp.ClientSession() as visitor,
        visitor.get(address, allow_redirects=False) as answer,
    ):
        assert answer.status == 301
        assert answer.headers["Location"] == f"{front.url}/studio/?a=1"


async def test_what_a_client_claims_about_itself_does_not_arrive(front: FrontServer) -> None:
    claims = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
    }
    async with visiting(front) as visitor:
        async with visitor.get("/metrics", headers=claims) as answer:
            assert answer.status == 404
        async with visitor.get("/studio/", headers=claims) as answer:
            assert answer.status == 200
        async with visitor.get("/studio/", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 400


async def test_runners_are_not_let_in_from_outside(front: FrontServer) -> None:
    async with visiting(front) as visitor:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await visitor.ws_connect("/ws/v1/runner/")
    assert refused.value.status == 404


def test_too_large_an_upload_is_refused_before_it_is_sent(
    front: FrontServer, platform: Platform
) -> None:
    address = ("localhost", front.port)
    with closing(http.client.HTTPSConnection(*address, context=trust(front))) as connection:
        connection.putrequest("POST", "/api/v1/pictures/")
        connection.putheader("Authorization", f"Bearer {platform.access}")
        connection.putheader("Content-Length", str(LARGEST_BODY_BYTES + 1))
        connection.endheaders()
        answer = connection.getresponse()
        body = json.loads(answer.read())

    assert (answer.status, body["error"]["code"]) == (413, "invalid")


async def test_restart_of_all_web_processes_is_told_in_the_one_form() -> None:
    with front_server([free_port()]) as front:
        async with visiting(front) as visitor, visitor.get("/api/v1/me/") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert (await answer.json())["error"]["code"] == "unavailable"
        async with visiting(front) as visitor, visitor.get("/studio/") as page:
            assert page.status == 503


async def test_show_is_started_steered_and_watched_through_different_web_processes(
    cluster: Cluster, platform: Platform
) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(front_server([port])) for port in cluster.web_ports)
        one, two = (platform.at(door.url, tls=trust(door)) for door in (first, second))
        show = await asyncio.to_thread(make_real_show, one)
        broadcast = await asyncio.to_thread(start, one, two, show)
        async with visiting(first) as viewer, visiting(second) as operator:
            peer = Peer()
            path = f"/api/v1/broadcasts/{broadcast}/whep/"
            sdp = {"Content-Type": "application/sdp"}
            async with viewer.post(path, data=await peer.offer(), headers=sdp) as answer:
                assert answer.status == 201
                await peer.accept(await answer.text())
            async with console(operator, two, broadcast) as socket:
                await steer(socket)
                await eventually(lambda: len(peer.pictures) > 15 and peer.sounds > 25, "it plays")
                await watch_through_two(viewer, operator, path)
                await send(socket, "stop", {"when": "now"})
                await told(socket, lambda m: m["type"] == "state" and m["state"] == "ended")
            await peer.close()
            await check_recording(viewer, one, broadcast)
    said = [row["text"] for row in platform.utterances(broadcast) if row["state"] == "said"]
    assert said.count(LINE) == 1


def test_no_log_of_any_process_holds_a_secret(
    cluster: Cluster, front: FrontServer, platform: Platform
) -> None:
    logs = cluster.logs() + front.log

    assert "/api/v1/pictures/" in front.log
    for secret in (platform.password, platform.access, platform.access.split(".")[2], "ice-pwd"):
        assert secret
        assert secret not in logs
    for name in ("SECRET_KEY", "FIELD_KEYS"):
        assert cluster.environment[name] not in logs


LINE = "这是导播说的一句话。"
CANDIDATES = ("a=candidate:", "a=end-of-candidates")
TRICKLE = {"Content-Type": "application/trickle-ice-sdpfrag"}


async def watch_through_two(
    first: aiohttp.ClientSession, second: aiohttp.ClientSession, path: str
) -> None:
    """WHEP whose requests meet different web processes: joined here, trickled and left there."""
    peer = Peer()
    offer = await peer.offer()
    sdp = {"Content-Type": "application/sdp"}
    async with first.post(path, data=without_candidates(offer), headers=sdp) as answer:
        assert answer.status == 201
        viewer = answer.headers["Location"]
        # Neither side has an address of the other's: only what is trickled can connect them.
        await peer.accept(without_candidates(await answer.text()))
    async with second.patch(viewer, data=fragment_of(offer), headers=TRICKLE) as trickled:
        assert trickled.status == 204
    await eventually(lambda: len(peer.pictures) > 15, "it plays by what was trickled")

    async with second.delete(viewer) as left:
        assert left.status == 204
    await eventually(lambda: has_ended(peer), "the runner has hung up")
    async with (
        first.delete(viewer) as again,
        first.patch(viewer, data=fragment_of(offer), headers=TRICKLE) as late,
    ):
        assert (again.status, late.status) == (404, 404)
    await peer.close()


def without_candidates(sdp: str) -> str:
    lines = (line for line in sdp.splitlines() if not line.startswith(CANDIDATES))
    return "\r\n".join(lines) + "\r\n"


def fragment_of(sdp: str) -> str:
    """The candidates of an offer, as a browser trickles them (RFC 8840)."""
    kept = (line for line in sdp.splitlines() if line.startswith(("m=", "a=mid:", *CANDIDATES)))
    return "\r\n".join(kept) + "\r\n"


def has_ended(peer: Peer) -> bool:
    return peer.connection.connectionState in ("closed", "failed", "disconnected")


def make_real_show(platform: Platform) -> str:
    """The built-in presenter and voice: production has no test engines."""
    avatar = platform.call("GET", "avatars/")["results"][0]["id"]
    voices = platform.call("GET", "voices/")["results"]
    voice = next(voice["id"] for voice in voices if voice["language"] == "zh-CN")
    return platform.make_show(
        avatar=avatar, voice=voice, profile="mobile", language="zh-CN", rundown_mode="loop",
        cues=[{"text": "大家好。"}, {"text": "欢迎来到直播间。"}], record=True,
    )  # fmt: skip


def start(one: Platform, two: Platform, show: str) -> str:
    """Started at one web process, seen live at the other."""
    broadcast = str(one.call("POST", f"shows/{show}/start/", {})["id"])
    two.wait_for(broadcast, lambda row: row["state"] == "live", "live")
    return broadcast


@asynccontextmanager
async def console(
    operator: aiohttp.ClientSession, platform: Platform, broadcast: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """The console's websocket, greeted."""
    body = {"purpose": "console", "broadcast": broadcast}
    ticket = (await asyncio.to_thread(platform.call, "POST", "ws-tickets/", body))["ticket"]
    protocols = ("livestudio.v1", f"ticket.{ticket}")
    path = f"/ws/v1/broadcasts/{broadcast}/console/"
    async with operator.ws_connect(path, protocols=protocols) as socket:
        assert socket.protocol == "livestudio.v1"
        assert (await socket.receive_json(timeout=60))["type"] == "welcome"
        yield socket


async def steer(socket: aiohttp.ClientWebSocketResponse) -> None:
    """A line is said at once, and told as said."""
    await send(socket, "say", {"text": LINE, "interrupt": True})
    result = await told(socket, lambda m: m["type"] == "result")
    assert result["ok"], result
    await told(
        socket,
        lambda m: m["type"] == "utterance" and m.get("text") == LINE and m["state"] == "said",
    )


async def send(socket: aiohttp.ClientWebSocketResponse, name: str, args: Any) -> None:
    await socket.send_json({"type": "command", "id": name, "name": name, "args": args})


async def told(
    socket: aiohttp.ClientWebSocketResponse, check: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The first message for which a check holds."""
    async with asyncio.timeout(120):
        while not check(message := await socket.receive_json()):
            continue
    return message


async def check_recording(
    viewer: aiohttp.ClientSession, platform: Platform, broadcast: str
) -> None:
    """The recording comes by Range, signed, without a header of sign-in."""
    page = await asyncio.to_thread(platform.call, "GET", f"broadcasts/{broadcast}/recordings/")
    url = page["results"][0]["file_url"].partition("/api/")[2]
    async with viewer.get(f"/api/{url}", headers={"Range": "bytes=4-7"}) as answer:
        assert answer.status == 206
        assert await answer.read() == b"ftyp"
