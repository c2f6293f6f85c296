"""One text for many websockets is framed once, and each of them gets it whole."""

from __future__ import annotations

from typing import Any

import pytest

from livestudio.web_limits import Socket, SocketFactory


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
