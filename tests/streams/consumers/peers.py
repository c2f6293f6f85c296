"""Peers of the consumers: a runner that speaks the link, and browsers with tickets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from accounts.models import User
from inference.protocol import Event, Events, Hello, decode_message, encode_message
from inference.tokens import make_run_token
from streams.models import Broadcast
from streams.routing import websocket_urlpatterns
from streams.services.tickets import create_ticket

application = URLRouter(websocket_urlpatterns)
ORIGIN = "http://studio.test"
AT = "2026-11-20T12:00:00.000Z"


async def in_database(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Run database work as consumers do."""
    return await database_sync_to_async(function)(*args, **options)


class Socket:
    """One websocket to the application under test."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator
        self.kept: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        await self.communicator.send_json_to(message)

    async def receive(self, kind: str | None = None, *, seconds: float = 60.0) -> dict[str, Any]:
        """The next message, or the next of a type; others are kept in `kept`."""
        while True:
            message: dict[str, Any] = await self.communicator.receive_json_from(seconds)
            if kind is None or message["type"] == kind:
                return message
            self.kept.append(message)

    async def close_code(self, *, seconds: float = 60.0) -> int:
        """The code the server closes with; texts before it are kept."""
        async with asyncio.timeout(seconds):
            while True:
                output = await self.communicator.receive_output(seconds)
                if output["type"] == "websocket.close":
                    return int(output["code"])
                self.kept.append(json.loads(output["text"]))


class RunnerPeer(Socket):
    """A scripted runner at the other end of the link."""

    def __init__(self, communicator: WebsocketCommunicator, broadcast: str, epoch: int) -> None:
        super().__init__(communicator)
        self.broadcast, self.epoch = broadcast, epoch
        self.sequence = 0

    async def tell(self, message: Any) -> None:
        await self.send(encode_message(message))

    async def hello(self) -> Any:
        await self.tell(Hello(self.broadcast, self.epoch, 1, 4711))
        welcome = decode_message(await self.receive("welcome"))
        self.sequence = welcome.acknowledged
        return welcome

    def event(self, kind: str, /, **data: Any) -> Event:
        self.sequence += 1
        return Event(self.sequence, kind, AT, data)

    async def emit(self, *events: Event) -> int:
        """Send a batch and wait for its acknowledgement."""
        await self.tell(Events(events))
        return int((await self.receive("acknowledge"))["sequence"])


@asynccontextmanager
async def runner_peer(
    broadcast: Broadcast, *, epoch: int | None = None, token: str | None = None
) -> AsyncIterator[RunnerPeer]:
    """A connected runner that has not said hello."""
    number = broadcast.lease_epoch if epoch is None else epoch
    token = make_run_token(str(broadcast.pk), number) if token is None else token
    communicator = WebsocketCommunicator(
        application, "/ws/v1/runner/", headers=[(b"authorization", f"Bearer {token}".encode())]
    )
    connected, _ = await communicator.connect(60)
    assert connected
    try:
        yield RunnerPeer(communicator, str(broadcast.pk), number)
    finally:
        await communicator.disconnect()


@asynccontextmanager
async def browser(
    broadcast: Broadcast,
    purpose: Any,
    user: User | None,
    *,
    ticket: str | None = None,
    origin: str = ORIGIN,
    language: str = "",
    address: str = "203.0.113.9",
) -> AsyncIterator[Socket]:
    """A browser's socket, opened with a fresh ticket unless one is given."""
    if ticket is None:
        ticket = await sync_to_async(create_ticket)(
            broadcast=broadcast, purpose=purpose, user=user, origin=ORIGIN
        )
    communicator = WebsocketCommunicator(
        application,
        f"/ws/v1/broadcasts/{broadcast.pk}/{purpose}/",
        headers=[(b"origin", origin.encode()), (b"accept-language", language.encode())],
        subprotocols=["livestudio.v1", f"ticket.{ticket}"],
    )
    communicator.scope["client"] = [address, 49152]
    connected, subprotocol = await communicator.connect(60)
    assert connected
    assert subprotocol == "livestudio.v1"
    try:
        yield Socket(communicator)
    finally:
        await communicator.disconnect()
