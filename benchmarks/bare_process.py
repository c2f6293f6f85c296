"""A process that sends back what it gets: what any process costs on this machine."""

from __future__ import annotations

import selectors
import struct
import time
from typing import Any

from inference.gpu.wire import new_socket


class Echo:
    """As `Runner` of the model server. seen: whose `faces` are the milliseconds."""

    def __init__(self, path: str, seen: Any) -> None:
        self.link = new_socket()
        self.link.connect(path)
        self.link.setblocking(False)
        self.seen = seen

    def ask(self) -> None:
        self.link.send(struct.pack("<d", time.monotonic()) + bytes(32))

    def take(self) -> None:
        (began,) = struct.unpack_from("<d", self.link.recv(64))
        self.seen.faces.append((time.monotonic() - began) * 1000)


def echo(path: str) -> None:
    """Send everything back, until ended."""
    listener = new_socket()
    listener.bind(path)
    listener.listen(64)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            link: Any = key.fileobj
            if raw := link.recv(64):
                link.send(raw)
            else:
                selector.unregister(link)
