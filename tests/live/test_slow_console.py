"""A console that reads nothing for long: the others hear all the same, and it does in the end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any, Final

import aiohttp
import pytest

from inference.protocol import PROTOCOL_VERSION, Hello, Live, encode_message
from tests.live.site import ROOT, Site, new_site

pytestmark = pytest.mark.live

CAPTIONS: Final = 300
# Together far more than the system and the server's buffer take for somebody who does not read.
LONG: Final = "x" * 100_000
SECONDS: Final = 120.0


async def test_console_that_reads_nothing_holds_up_no_other() -> None:
    with new_site() as site:
        site.migrate()
        web = site.start_web()
        try:
            rows = rows_of(site)
            async with asyncio.timeout(SECONDS), aiohttp.ClientSession(site.base_url) as session:
                runner = await open_runner(session, rows["run"])
                slow = await open_console(session, rows)
                reading = await open_console(session, rows)

                telling = asyncio.create_task(tell_captions(runner))
                heard = [await next_caption(reading) for _ in range(CAPTIONS)]
                await telling
                heard_late = [await next_caption(slow) for _ in range(CAPTIONS)]
        finally:
            web.kill()
            web.wait()

    assert heard == heard_late == list(range(CAPTIONS))


def rows_of(site: Site) -> dict[str, Any]:
    """A customer and a broadcast on air, whose runner is played."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.api_rows", "1", "1"],
        cwd=ROOT, env=site.environment, capture_output=True, check=True,
    )  # fmt: skip
    rows: dict[str, Any] = json.loads(done.stdout)
    return rows


async def open_runner(
    session: aiohttp.ClientSession, run: dict[str, str]
) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {run['token']}"}
    runner = await session.ws_connect("/ws/v1/runner/", headers=headers)
    await runner.send_json(encode_message(Hello(run["broadcast"], 1, PROTOCOL_VERSION, 1)))
    assert (await runner.receive_json())["type"] == "welcome"
    return runner


async def open_console(
    session: aiohttp.ClientSession, rows: dict[str, Any]
) -> aiohttp.ClientWebSocketResponse:
    broadcast = rows["run"]["broadcast"]
    body = {"purpose": "console", "broadcast": broadcast}
    bearer = {"Authorization": f"Bearer {rows['customers'][0]['token']}"}
    async with session.post("/api/v1/ws-tickets/", json=body, headers=bearer) as answer:
        ticket = (await answer.json())["ticket"]
    socket = await session.ws_connect(
        f"/ws/v1/broadcasts/{broadcast}/console/", protocols=("livestudio.v1", f"ticket.{ticket}")
    )
    assert (await socket.receive_json())["type"] == "welcome"
    return socket


async def tell_captions(runner: aiohttp.ClientWebSocketResponse) -> None:
    for number in range(CAPTIONS):
        caption = {"utterance": "u", "text": LONG, "start_ms": number, "end_ms": number + 1}
        await runner.send_json(encode_message(Live("caption", caption)))


async def next_caption(console: aiohttp.ClientWebSocketResponse) -> int:
    while True:
        message = await console.receive_json()
        if message["type"] == "caption":
            assert message["text"] == LONG
            return int(message["start_ms"])
