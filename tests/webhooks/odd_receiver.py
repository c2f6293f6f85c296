"""Receivers that speak bytes of a test's choice, of HTTP or not, with TLS or without."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Line:
    """One connection whose request was read. sent: bytes that went out."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection, self._over = connection, over
        self.sent = 0

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)
        self.sent += len(data)

    def send_forever(self, data: bytes, *, every_seconds: float = 0.0) -> None:
        """Until the other side hangs up, or the test is over."""
        while not self._over.wait(every_seconds):
            self.send(data)

    def wait(self) -> None:
        """Say nothing until the test is over."""
        self._over.wait()


Answer = Callable[[Line], None]


class OddReceiver:
    """lines: one for each request that came."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port, self.url = port, f"{scheme}://127.0.0.1:{port}/hook"
        self.lines: list[Line] = []


@contextmanager
def odd_receiving(
    answer: Answer, certificate: Path | None = None, *, listens: bool = True
) -> Iterator[OddReceiver]:
    """A receiver that answers each request so. certificate: with its key, in one file.

    listens: waits for the request; else it speaks first.
    """
    server = socket.create_server(("127.0.0.1", 0))
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    receiver = OddReceiver(server.getsockname()[1], "https" if tls else "http")
    over = threading.Event()
    threads: list[threading.Thread] = []

    def serve(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            connection = tls.wrap_socket(plain, server_side=True) if tls else plain
            with connection:
                if listens:
                    _read_request(connection)
                receiver.lines.append(Line(connection, over))
                answer(receiver.lines[-1])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield receiver
    finally:
        over.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for thread in threads:
            thread.join()


def _read_request(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    missing = int(names.get(b"content-length", 0)) - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
