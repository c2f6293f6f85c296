"""What Daphne takes from a stranger before the application sees any of it.

Daphne itself keeps a body of any size on disk and then in memory, and lets each byte buy another
minute. `install` puts our factories in place of Daphne's, whichever command started it: ADR 0037.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, ClassVar, Final

from daphne import server
from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web import http

from avatars.uploads import LANDMARKS_MAX_BYTES, UPLOAD_MAX_BYTES
from livestudio.common.parsers import LARGEST_BODY_BYTES
from livestudio.web_frames import FramedProtocol, FramingFactory, unsent_bytes

# Where films are sent to, and the header of whoever says who they are there.
FILM_PATHS: Final = {b"/api/v1/avatars/": b"Authorization", b"/admin/avatars/avatar/": b"Cookie"}
FILM_MAX_BYTES: Final = UPLOAD_MAX_BYTES + LANDMARKS_MAX_BYTES + 1024 * 1024
# Each is in memory for a moment when it has come.
FILMS_AT_A_TIME: Final = 2
# From the connection, or the last answer, to the end of the headers.
HEADER_SECONDS: Final = 30
BODY_SECONDS: Final = 120
FILM_SECONDS: Final = 900
# Who reads nothing of an answer for so long has gone.
READER_SECONDS: Final = 120
RUNNER_PATH: Final = "/ws/v1/runner/"
# 64 Ki characters of any kind are a message (streams/consumers/base.py).
MESSAGE_MAX_BYTES: Final = 256 * 1024
# A page may send 60 at once.
MESSAGES_WAITING: Final = 128
# Of what a websocket is told. The rundown of a console alone may have 20 MB; who reads slowly but
# reads gets all of it, in its time.
UNREAD_MAX_BYTES: Final = 48 * 1024 * 1024
_TRY_AGAIN_LATER: Final = 1013  # registered with IANA for RFC 6455


class Channel(http.HTTPChannel):
    """One connection. A request has its time as a whole. is_full: its reader is behind."""

    is_full = False

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The buffer is full."""
        self.is_full = True
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is empty again."""
        self.is_full = False
        super().resumeProducing()  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing: a byte now and then buys no time."""


class Request(WebRequest):
    """Refuses what is too large when its length is told, or when it has become so."""

    _films: ClassVar[int] = 0
    _is_refused = False
    _is_film = False
    _received = 0
    _drained: asyncio.Event | None = None

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """The headers are complete."""
        is_film = self._may_be_film()
        self._most = FILM_MAX_BYTES if is_film else LARGEST_BODY_BYTES
        self.channel.setTimeout(FILM_SECONDS if is_film else BODY_SECONDS)
        super().gotLength(0 if length is not None and length > self._most else length)
        if length is not None and length > self._most:
            self._refuse(413, "invalid", f"The request is larger than {self._most >> 20} MiB.")
        elif is_film and (length is None or length > LARGEST_BODY_BYTES):
            self._claim_place()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """A piece of the body, however it was announced."""
        self._received += len(data)
        if self._is_refused:
            return
        if self._received > self._most:
            self._refuse(413, "invalid", f"The request is larger than {self._most >> 20} MiB.")
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Nothing of a refused request reaches the application."""
        return None if self._is_refused else super().process()

    def handle_reply(self, message: Any) -> None:
        """A part of the answer. From the first on, the connection says when it is full."""
        if self._drained is None and self.channel is not None and not self.finished:
            self._drained = asyncio.Event()
            if not self.channel.is_full:  # of an answer before this one: it is not told again
                self._drained.set()
            self.registerProducer(self, True)  # noqa: FBT003 - Twisted's interface
        super().handle_reply(message)

    async def wait_until_drained(self) -> None:
        """Until the reader has taken what was written; one who takes nothing is hung up on."""
        if self._drained is None or self._drained.is_set():
            return
        try:
            async with asyncio.timeout(READER_SECONDS):
                await self._drained.wait()
        except TimeoutError:
            if self.channel is not None:
                self.channel.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The buffer of the connection is full."""
        if self._drained is not None:
            self._drained.clear()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is empty again."""
        if self._drained is not None:
            self._drained.set()

    stopProducing = resumeProducing  # noqa: N815 - Twisted's name

    def handle_exception(self, exception: Any) -> None:
        """The application failed. An answer that has begun cannot become another one: Daphne would
        fail over it in its own loop, which then never looks after an application again.
        """
        if not self._response_started:
            super().handle_exception(exception)
        elif self.channel is not None and not self.finished:
            self.channel.transport.abortConnection()

    def finish(self) -> None:
        self._leave_place()
        if self.producer is not None:
            self.unregisterProducer()
        self.resumeProducing()  # the rest is the connection's, and who sent it is free
        super().finish()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        self._leave_place()
        self.resumeProducing()
        super().connectionLost(reason)

    def _may_be_film(self) -> bool:
        path: bytes = self.channel._path  # the request has it only when the body has come
        return any(
            path.startswith(start) and self.requestHeaders.hasHeader(header)
            for start, header in FILM_PATHS.items()
        )

    def _claim_place(self) -> None:
        if Request._films >= FILMS_AT_A_TIME:
            self._refuse(503, "busy", "Other films are being received. Try again soon.")
            return
        Request._films += 1
        self._is_film = True

    def _leave_place(self) -> None:
        Request._films -= self._is_film
        self._is_film = False

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer in the API's form of errors, and hang up."""
        self._is_refused = True
        self.requestHeaders.removeHeader(b"Expect")
        body = json.dumps({"error": {"code": code, "message": message, "details": []}}).encode()
        wait = b"Retry-After: 30\r\n" if status == 503 else b""
        self.channel.transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s"
            b"Connection: close\r\n\r\n%s" % (status, http.RESPONSES[status], len(body), wait, body)
        )
        self.channel.loseConnection()


class WebFactory(HTTPFactory):
    """Connections with our limits."""

    protocol = Channel

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        made = super().buildProtocol(addr)
        made.requestFactory = Request
        made.timeOut = HEADER_SECONDS
        return made


class Socket(FramedProtocol):
    """A websocket whose unread messages are few and small. Runners are ours and say more.

    Nor may what it is told wait for ever: who sends and never reads is not missed by Daphne's
    pings, since whatever comes in counts as their answer.
    """

    _is_runner = False
    _taken = 0
    _taken_at = 0.0

    def onConnect(self, request: Any) -> Any:  # noqa: N802 - autobahn's name
        self._is_runner = request.path == RUNNER_PATH
        if not self._is_runner:
            self.maxMessagePayloadSize = self.maxFramePayloadSize = MESSAGE_MAX_BYTES
        return super().onConnect(request)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803, FBT001
        if not self._is_runner and self.application_queue.qsize() >= MESSAGES_WAITING:
            self.sendClose(code=_TRY_AGAIN_LATER)  # once: the second does nothing
            return
        super().onMessage(payload, isBinary)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: N802, FBT001, FBT002 - Daphne's name
        """A text of the application, unless its reader is gone."""
        super().serverSend(content, binary)
        unsent = unsent_bytes(self.transport)
        if unsent and not self._is_runner and self._is_left_unread(unsent):
            self.transport.abortConnection()

    def _is_left_unread(self, unsent: int) -> bool:
        now, taken = time.monotonic(), self.written - unsent
        if taken > self._taken or not self._taken_at:
            self._taken, self._taken_at = taken, now
        return unsent > UNREAD_MAX_BYTES or now - self._taken_at > READER_SECONDS


class SocketFactory(FramingFactory):
    """Websockets with our limits."""

    protocol = Socket


async def _reply(self: Any, protocol: Any, message: Any) -> None:
    """Daphne's, which writes as fast as a file can be read, whether or not anybody takes it."""
    await _REPLY(self, protocol, message)
    if isinstance(protocol, Request):
        await protocol.wait_until_drained()


_REPLY: Final = server.Server.handle_reply


def install() -> None:
    """Daphne asks its module for these names when it starts to listen."""
    server.Server.handle_reply = _reply
    server.HTTPFactory = WebFactory
    server.WebSocketFactory = SocketFactory
