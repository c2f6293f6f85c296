"""Load on a site's API: requests at an even rate, and consoles that follow a broadcast.

Requests leave when they are due, whether or not earlier ones have been answered, and a request's
time counts from then: a server that falls behind cannot slow down the one who measures it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from benchmarks.figures import BenchmarkError
from benchmarks.processes import cpu_seconds
from inference.protocol import PROTOCOL_VERSION, Heartbeat, Hello, Metrics, encode_message

# As nginx says it: the site answers nobody who came without TLS.
FORWARDED: Final = {"X-Forwarded-Proto": "https"}
# A tenth more at the beginning warms caches and connections and is not counted.
WARM_UP_SHARE: Final = 0.1
CONNECTIONS_AT_ONCE: Final = 20
OPENING_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: where, and as whom."""

    url: str
    token: str = ""


@dataclass(slots=True)
class Answers:
    """Milliseconds of each answer that was right, and what was wrong with the others."""

    milliseconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def ask_evenly(asks: Iterable[Ask], *, per_second: float, seconds: float) -> Answers:
    """Send requests at an even rate, over connections that are kept."""
    count = int(per_second * seconds)
    warm_up = int(count * WARM_UP_SHARE)
    answers, tasks = Answers(), []
    chosen = list(asks)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter() + 0.05
        for number in range(count + warm_up):
            due = began + number / per_second
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            ask = chosen[number % len(chosen)]
            kept = answers if number >= warm_up else Answers()
            tasks.append(asyncio.create_task(_ask(session, ask, due, kept)))
        await asyncio.gather(*tasks)
    return answers


async def _ask(session: aiohttp.ClientSession, ask: Ask, due: float, answers: Answers) -> None:
    headers = {**FORWARDED, **({"Authorization": f"Bearer {ask.token}"} if ask.token else {})}
    try:
        async with session.get(ask.url, headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                answers.wrong.append(f"{answer.status} {ask.url}")
                return
    except (aiohttp.ClientError, TimeoutError) as error:
        answers.wrong.append(f"{type(error).__name__} {ask.url}")
        return
    answers.milliseconds.append((time.perf_counter() - due) * 1000)


# Consoles


@dataclass(frozen=True, slots=True)
class Following:
    """What consoles have heard: milliseconds of each message, and how many should have come.

    web_seconds: of a processor, of the web processes together, for one message to all.
    """

    milliseconds: list[float]
    expected: int
    web_seconds: float


async def follow(
    webs: dict[str, int], run: dict[str, str], token: str, *, consoles: int, seconds: float
) -> Following:
    """Consoles on all web processes, and a runner that tells numbers five times a second.

    webs: the process at each address.
    """
    web_urls = list(webs)
    heard: list[list[float]] = [[] for _ in range(consoles)]
    # Consoles stay connected to the end: their connections are closed with the session.
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        asyncio.timeout(OPENING_SECONDS + seconds),
        aiohttp.ClientSession(headers=FORWARDED, connector=connector) as session,
        _runner(session, web_urls[0], run) as runner,
    ):
        sockets = await _open_consoles(session, web_urls, run["broadcast"], token, consoles)
        tasks = [
            asyncio.create_task(_hear(socket, times.append))
            for socket, times in zip(sockets, heard, strict=True)
        ]
        before = sum(map(cpu_seconds, webs.values()))
        await _tell(runner, seconds)
        await asyncio.sleep(2.0)
        spent = sum(map(cpu_seconds, webs.values())) - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    # The web passes on 5 a second at most, the newest: what one console heard all should have.
    most = max(len(times) for times in heard)
    milliseconds = [time for times in heard for time in times]
    return Following(milliseconds, most * consoles, spent / max(1, most))


@asynccontextmanager
async def _runner(
    session: aiohttp.ClientSession, url: str, run: dict[str, str]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"Bearer {run['token']}"}
    async with session.ws_connect(f"{url}/ws/v1/runner/", headers=headers) as socket:
        await socket.send_json(encode_message(Hello(run["broadcast"], 1, PROTOCOL_VERSION, 1)))
        if (await socket.receive_json(timeout=10))["type"] != "welcome":
            raise BenchmarkError("the runner link was refused")
        drain = asyncio.create_task(_drain(socket))
        yield socket
        drain.cancel()


async def _drain(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        continue


async def _open_consoles(
    session: aiohttp.ClientSession,
    web_urls: list[str],
    broadcast: str,
    token: str,
    count: int,
) -> list[aiohttp.ClientWebSocketResponse]:
    gate = asyncio.Semaphore(CONNECTIONS_AT_ONCE)

    async def open_one(number: int) -> aiohttp.ClientWebSocketResponse:
        async with gate:
            url = web_urls[number % len(web_urls)]
            body = {"purpose": "console", "broadcast": broadcast}
            bearer = {"Authorization": f"Bearer {token}"}
            tickets = f"{url}/api/v1/ws-tickets/"
            async with session.post(tickets, json=body, headers=bearer) as answer:
                told = await answer.json()
                if answer.status != 201:
                    raise BenchmarkError(f"no ticket: {answer.status} {told}")
                ticket = told["ticket"]
            socket = await session.ws_connect(
                f"{url}/ws/v1/broadcasts/{broadcast}/console/",
                protocols=("livestudio.v1", f"ticket.{ticket}"),
            )
            if (await socket.receive_json(timeout=20))["type"] != "welcome":
                raise BenchmarkError("a console was refused")
            return socket

    return list(await asyncio.gather(*(open_one(number) for number in range(count))))


async def _hear(socket: aiohttp.ClientWebSocketResponse, note: Callable[[float], None]) -> None:
    async for message in socket:
        told: dict[str, Any] = message.json()
        if told["type"] == "metrics" and "sent_at" in told["metrics"]:
            note((time.perf_counter() - told["metrics"]["sent_at"]) * 1000)


async def _tell(runner: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
    """Numbers at 5 Hz, of the size of real ones, and a heartbeat every 2 s."""
    filler = {f"number_{index}": index / 7 for index in range(40)}
    began, count = time.perf_counter(), int(seconds * 5)
    for number in range(count):
        if (wait := began + number / 5 - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        numbers = {**filler, "sent_at": time.perf_counter()}
        await runner.send_json(encode_message(Metrics(numbers)))
        if number % 10 == 0:
            await runner.send_json(encode_message(Heartbeat(int(time.time() * 1000), filler)))
