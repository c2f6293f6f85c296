"""A web side that speaks the real runner link, scripted by a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from inference.protocol import (
    AvatarSpec,
    Event,
    RunnerSpec,
    Welcome,
    decode_message,
    encode_message,
)

BROADCAST = "4b4c3f3e-1111-4222-8333-444455556666"


def make_spec(*, token: str = "renewed", run_folder: str = "run") -> RunnerSpec:
    return RunnerSpec(
        broadcast=BROADCAST,
        lease_epoch=1,
        token=token,
        title="Show",
        language="en-US",
        renditions=(),
        avatar=AvatarSpec("a", "puppet"),
        voices=(),
        cues=(),
        run_folder=run_folder,
        recordings_folder="recordings",
        cache_folder="cache",
    )


class WebPeer:
    """Counts dials, stores events once, and does to the socket what the test says."""

    def __init__(self) -> None:
        self.port = 0
        self.dials = 0
        self.tokens: list[str] = []
        self.hellos: list[Any] = []
        self.stored: list[Event] = []
        self.duplicates = 0
        self.received: list[Any] = []
        self.acknowledges = True
        self.close_code: int | None = None
        self.socket: web.WebSocketResponse | None = None
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def send(self, message: Any) -> None:
        assert self.socket is not None
        await self.socket.send_str(json.dumps(encode_message(message)))

    async def drop(self) -> None:
        """Cut the connection without a word."""
        assert self.socket is not None
        socket, self.socket = self.socket, None
        transport = socket._req.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()

    async def until(self, condition: Any, *, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def of_type(self, cls: type) -> list[Any]:
        return [message for message in self.received if isinstance(message, cls)]

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        self.dials += 1
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.close_code is not None:
            await socket.close(code=self.close_code)
            return socket
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            await self._take(decode_message(json.loads(frame.data)), socket)
            self._changed.set()
        return socket

    async def _take(self, message: Any, socket: web.WebSocketResponse) -> None:
        name = type(message).__name__
        if name == "Hello":
            self.hellos.append(message)
            self.socket = socket
            stored = self.stored[-1].sequence if self.stored else 0
            await self.send(Welcome(make_spec(), stored))
        elif name == "Events":
            await self._store(message.events)
        else:
            self.received.append(message)
            if name == "Heartbeat" and self.acknowledges:
                await socket.send_json(
                    {"type": "heartbeat_acknowledged", "sent_at_ms": message.sent_at_ms}
                )

    async def _store(self, events: tuple[Event, ...]) -> None:
        last = self.stored[-1].sequence if self.stored else 0
        fresh = [event for event in events if event.sequence > last]
        self.duplicates += len(events) - len(fresh)
        self.stored.extend(fresh)
        if self.acknowledges and self.socket is not None:
            sequence = self.stored[-1].sequence
            await self.socket.send_json({"type": "acknowledge", "sequence": sequence})


@asynccontextmanager
async def web_peer() -> AsyncIterator[WebPeer]:
    """A web side on a free port of the loopback interface."""
    peer = WebPeer()
    app = web.Application()
    app.router.add_get("/ws/v1/runner/", peer.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.port = runner.addresses[0][1]
    try:
        yield peer
    finally:
        await runner.cleanup()
