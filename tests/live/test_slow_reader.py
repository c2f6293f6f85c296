"""Somebody who asks for a recording and does not read it costs a buffer, not the whole file."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.live.endless_answer import CHUNK, CHUNKS, WHOLE
from tests.live.site import ROOT, Site, new_site, wait_until
from tests.live.test_web_limits import memory_mib
from tests.services import is_listening

pytestmark = pytest.mark.live
SENT_MAX_BYTES = 64 << 20  # what the system itself keeps of a connection differs


@pytest.fixture
def web() -> Iterator[tuple[Site, int]]:
    """Daphne with an answer of 256 MiB, and its id."""
    with answering({}) as answer:
        yield answer


@contextmanager
def answering(environment: dict[str, str]) -> Iterator[tuple[Site, int]]:
    with new_site() as site:
        command = ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(site.port)]
        daphne = subprocess.Popen(
            [sys.executable, "-m", *command, "tests.live.endless_answer:application"],
            cwd=ROOT,
            env=site.environment | environment,
        )
        try:
            wait_until(lambda: is_listening(site.port), "Daphne listens")
            yield site, daphne.pid
        finally:
            daphne.kill()
            daphne.wait()


def sent(site: Site) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", "/sent")
    amount = int(connection.getresponse().read())
    connection.close()
    return amount


def wait_until_it_stands(site: Site) -> int:
    """How much was sent when no more was for two seconds."""
    before = -1
    while (now := sent(site)) != before or not now:
        before = now
        time.sleep(2)
    return now


def test_reader_who_stands_still_costs_a_buffer(web: tuple[Site, int]) -> None:
    site, pid = web
    before = memory_mib(pid)
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

        assert wait_until_it_stands(site) < SENT_MAX_BYTES
        assert memory_mib(pid) - before < SENT_MAX_BYTES >> 20

        received = 0
        while piece := slow.recv(1 << 20):
            received += len(piece)

    assert received >= CHUNKS * len(CHUNK)
    assert sent(site) == CHUNKS * len(CHUNK)


def test_reader_who_asks_twice_and_reads_nothing_costs_a_buffer_too(web: tuple[Site, int]) -> None:
    """The connection is full of the first answer: nobody says so again for the second."""
    site, pid = web
    before = memory_mib(pid)
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as slow:
        requests = (f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in ("/whole", "/"))
        slow.sendall("".join(requests).encode())

        assert len(WHOLE) <= wait_until_it_stands(site) < SENT_MAX_BYTES
        assert memory_mib(pid) - before < SENT_MAX_BYTES >> 20


def test_reader_who_never_reads_is_hung_up_on() -> None:
    whole = CHUNKS * len(CHUNK)
    with (
        answering({"READER_SECONDS": "1"}) as (site, _pid),
        socket.create_connection(("127.0.0.1", site.port), timeout=30) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

        # What goes to nobody costs nothing: the application comes to its end.
        wait_until(lambda: sent(site) == whole, "the application is let go")
        received = 0
        with suppress(ConnectionResetError):
            while piece := slow.recv(1 << 20):
                received += len(piece)

    assert received < whole


def test_answer_that_fails_half_way_ends_its_connection(web: tuple[Site, int]) -> None:
    """Each time: Daphne's own look after applications goes on."""
    site, _pid = web
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", site.port), timeout=60) as reader:
            reader.sendall(b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            with suppress(ConnectionResetError):
                while piece := reader.recv(1 << 20):
                    received += piece
        assert b"begun" in received
        assert b"Internal Server Error" not in received
