"""One text for many websockets is framed once, and each of them gets it whole, if it reads."""

from __future__ import annotations

import socket as system
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.tcp import Connection

from livestudio import web_limits
from livestudio.web_limits import Socket, SocketFactory

# More than the system keeps of a connection that nobody reads.
LONG = "x" * 1_000_000


class Transport:
    """Keeps what was written, piece by piece."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def factory() -> Any:
    return SocketFactory(None, server="test")


def open_socket(factory: Any, state: int = Socket.STATE_OPEN) -> Any:
    socket = factory.buildProtocol(None)
    socket.transport, socket.state, socket.send_queue = Transport(), state, []
    return socket


def test_text_for_many_is_framed_once(factory: Any) -> None:
    sockets = [open_socket(factory) for _ in range(3)]
    for text in ("short", "中文" * 100, "x" * 70_000):
        for socket in sockets:
            socket.serverSend(text)

    first = sockets[0].transport.written
    for socket in sockets[1:]:
        assert all(a is b for a, b in zip(first, socket.transport.written, strict=True))
    # RFC 6455: a text, final; its length in 7, 16 or 64 bits; no mask.
    assert first == [
        b"\x81\x05short",
        b"\x81\x7e" + (600).to_bytes(2, "big") + ("中文" * 100).encode(),
        b"\x81\x7f" + (70_000).to_bytes(8, "big") + b"x" * 70_000,
    ]


@pytest.mark.parametrize("state", [Socket.STATE_CLOSING, Socket.STATE_CLOSED])
def test_what_is_said_to_a_socket_that_closes_goes_nowhere(factory: Any, state: int) -> None:
    socket = open_socket(factory, state)

    socket.serverSend("late")

    assert socket.transport.written == []


def test_text_that_cannot_be_written_is_not_taken_for_the_one_before(factory: Any) -> None:
    socket = open_socket(factory)
    socket.serverSend("before")
    broken = "half a character: \ud800"

    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            socket.serverSend(broken)

    assert len(socket.transport.written) == 1


class Reader(Connection):
    """A connection of Twisted, whose other end reads when the test says so."""

    is_aborted = False

    def __init__(self) -> None:
        here, self.there = system.socketpair()
        here.setblocking(False)
        self.there.setblocking(False)
        super().__init__(here, None, Reactor())
        self.connected = 1

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.is_aborted = True

    def read(self) -> None:
        """All that is there now, and what Twisted then writes."""
        with suppress(BlockingIOError):
            while self.there.recv(1 << 20):
                pass
        self.doWrite()


class Reactor:
    """Writes nothing by itself."""

    def addWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's name
        pass

    removeWriter = addWriter  # noqa: N815 - Twisted's name


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.there.close()
    made.socket.close()


def test_socket_that_reads_nothing_costs_a_bounded_buffer(factory: Any, reader: Reader) -> None:
    socket = open_socket(factory)
    socket.transport = reader
    times = 0

    while not reader.is_aborted and times < 100:
        socket.serverSend(LONG)
        times += 1

    assert reader.is_aborted
    assert times * len(LONG) > web_limits.UNREAD_MAX_BYTES


def test_socket_that_has_read_nothing_for_long_is_hung_up_on(
    factory: Any, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_limits, "READER_SECONDS", 0)
    socket = open_socket(factory)
    socket.transport = reader

    for _ in range(5):
        socket.serverSend(LONG)
        assert not reader.is_aborted
        reader.read()  # a part: that is enough
    socket.serverSend("a bit")
    socket.serverSend("a bit")

    assert reader.is_aborted


def test_runner_is_waited_for(factory: Any, reader: Reader) -> None:
    socket = open_socket(factory)
    socket.transport, socket._is_runner = reader, True

    for _ in range(60):
        socket.serverSend(LONG)

    assert not reader.is_aborted
