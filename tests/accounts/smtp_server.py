"""A mail server for tests: takes one mail at a time and keeps it with the login that brought it."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Mailbox:
    """mails: as they came, headers first. logins: (user, password) of each."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    """Speaks as much of RFC 5321 and AUTH PLAIN (RFC 4954) as smtplib asks for."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 localhost")
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                if verb.upper() == "AUTH":
                    _, user, password = base64.b64decode(rest.split()[-1]).decode().split("\0")
                    box.logins.append((user, password))
                    self._say("235 welcome")
                elif verb.upper() == "DATA":
                    self._take()
                elif verb.upper() == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250-localhost\r\n250 AUTH PLAIN" if verb == "ehlo" else "250 ok")

        def _take(self) -> None:
            self._say("354 go on")
            lines = iter(self.rfile.readline, b".\r\n")
            box.mails.append(b"".join(lines))
            self._say("250 kept")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
