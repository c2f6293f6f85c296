"""The load of benchmarks.api measures what a customer would wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.api_load import FORWARDED, Ask, ask_evenly


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """Answers one request after the other, 50 ms each; only to those who came by TLS."""
    turn = asyncio.Lock()

    async def slow(request: web.Request) -> web.Response:
        assert request.headers["X-Forwarded-Proto"] == FORWARDED["X-Forwarded-Proto"]
        async with turn:
            await asyncio.sleep(0.05)
        return web.Response(text=request.headers.get("Authorization", ""))

    application = web.Application()
    application.router.add_get("/slow", slow)
    async with TestServer(application) as server:
        yield server


async def test_time_counts_from_when_a_request_was_due(server: TestServer) -> None:
    ask = Ask(str(server.make_url("/slow")), "token")

    answers = await ask_evenly([ask], per_second=40, seconds=0.5)

    # The server takes 20 a second: the last of them has waited for all before it.
    assert len(answers.milliseconds) == 20
    assert max(answers.milliseconds) > 400
    assert not answers.wrong


async def test_wrong_answer_is_no_time(server: TestServer) -> None:
    answers = await ask_evenly([Ask(str(server.make_url("/no")))], per_second=20, seconds=0.2)

    assert not answers.milliseconds
    assert len(answers.wrong) == 4
