"""WHEP as any player speaks it: one POST joins, DELETE leaves, refusals have their status."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.inference.runner.viewer_peer import Peer, eventually
from tests.live.studio import Studio

pytestmark = pytest.mark.live

Answer = tuple[int, dict[str, str], str]


@pytest.fixture(scope="module")
def broadcast(studio: Studio) -> Iterator[str]:
    """A public show that nobody needs to sign in for."""
    with studio.platform.on_air(studio.make_small_show(rundown_mode="loop")) as broadcast:
        yield broadcast


async def test_player_joins_with_one_request_and_leaves(studio: Studio, broadcast: str) -> None:
    peer = Peer()
    status, headers, sdp = await _post(studio, broadcast, await peer.offer())
    assert status == 201
    assert headers["content-type"].startswith("application/sdp")
    assert "a=candidate:" in sdp
    await peer.accept(sdp)
    await eventually(lambda: len(peer.pictures) >= 30 and peer.sounds >= 60, "it plays")

    path = headers["location"].partition("/api/v1/")[2]
    trickled = await _request(studio, "PATCH", path, _FRAGMENT, "application/trickle-ice-sdpfrag")
    left = await _request(studio, "DELETE", path)
    again = await _request(studio, "DELETE", path)
    assert (trickled[0], left[0] // 100, again[0]) == (204, 2, 404)
    await eventually(lambda: _has_ended(peer), "the runner has hung up")
    await peer.close()


async def test_show_made_private_ends_the_pictures_of_who_is_no_member(studio: Studio) -> None:
    show = await asyncio.to_thread(studio.make_small_show, rundown_mode="loop")
    with studio.platform.on_air(show) as broadcast:
        stranger, member = Peer(), Peer()
        token = studio.platform.access
        status, headers, sdp = await _post(studio, broadcast, await stranger.offer())
        _, member_headers, member_sdp = await _post(studio, broadcast, await member.offer(), token)
        assert status == 201
        await stranger.accept(sdp)
        await member.accept(member_sdp)
        for peer in (stranger, member):
            await eventually(lambda peer=peer: len(peer.pictures) >= 30, "it plays")

        changed = {"visibility": "private"}
        await asyncio.to_thread(studio.platform.call, "PATCH", f"shows/{show}/", changed)
        await eventually(lambda: _has_ended(stranger), "the runner has hung up", seconds=12)
        seen, seen_by_member = len(stranger.pictures), len(member.pictures)
        await eventually(lambda: len(member.pictures) >= seen_by_member + 30, "the member watches")
        assert len(stranger.pictures) == seen
        left = [
            (await _request(studio, "DELETE", found["location"].partition("/api/v1/")[2]))[0]
            for found in (headers, member_headers)
        ]
        assert left == [404, 204]
        for peer in (stranger, member):
            await peer.close()


def _has_ended(peer: Peer) -> bool:
    return peer.connection.connectionState in ("closed", "failed", "disconnected")


async def test_refusals_have_their_status(studio: Studio, broadcast: str) -> None:
    peer = Peer()
    offer = await peer.offer()
    vp8_only = "\r\n".join(line for line in offer.split("\r\n") if "H264" not in line)

    answers = {
        406: await _post(studio, broadcast, vp8_only),
        400: await _post(studio, broadcast, "hello"),
        404: await _post(studio, "00000000-0000-4000-8000-000000000000", offer),
    }
    await peer.close()

    for status, (got, _, text) in answers.items():
        assert got == status, text
        assert set(json.loads(text)["error"]) == {"code", "message", "details"}


async def test_broadcast_that_is_over_is_a_conflict(studio: Studio) -> None:
    platform = studio.platform
    show = await asyncio.to_thread(studio.make_small_show)
    over = (await asyncio.to_thread(platform.call, "POST", f"shows/{show}/start/", {}))["id"]
    await asyncio.to_thread(platform.stop, over)
    peer = Peer()
    status, headers, text = await _post(studio, over, await peer.offer())
    await peer.close()

    assert (status, json.loads(text)["error"]["code"]) == (409, "not_live")
    assert int(headers["retry-after"]) > 0


async def _post(studio: Studio, broadcast: str, offer: str, token: str = "") -> Answer:
    """As a player: one who is told that the runner does not answer just now asks again."""
    path = f"broadcasts/{broadcast}/whep/"
    for _ in range(10):
        answer = await _request(studio, "POST", path, offer, "application/sdp", token)
        if answer[0] != 503:
            break
        await asyncio.sleep(int(answer[1]["retry-after"]))
    return answer


async def _request(
    studio: Studio, method: str, path: str, body: str | None = None, kind: str = "", token: str = ""
) -> Answer:
    headers = {"Content-Type": kind} if kind else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return await asyncio.to_thread(_send, studio.site.port, method, path, body, headers)


def _send(port: int, method: str, path: str, body: str | None, headers: dict[str, str]) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, f"/api/v1/{path}", body, headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read().decode()


_FRAGMENT = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
)
