"""A TCP proxy in front of a server, which can stop reading or hang up."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

CHUNK_BYTES = 1 << 16


class Proxy:
    """Forwards both ways on a thread per direction, until told to misbehave."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._frozen = threading.Event()
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        # A small window: a reader that stopped is then noticed soon.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Read nothing more, and keep every connection."""
        self._frozen.set()

    def thaw(self) -> None:
        """Cut what was frozen and serve new connections."""
        self.hang_up()
        self._frozen.clear()

    def hang_up(self) -> None:
        """Cut what is connected; new connections are served."""
        for part in self._pairs:
            with contextlib.suppress(OSError):
                part.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.hang_up()
        for part in self._pairs:
            part.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs += [near, far]
                self.accepted += 1
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._frozen.is_set() and (data := source.recv(CHUNK_BYTES)):
                sink.sendall(data)
        if not self._frozen.is_set():
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
