"""Somebody who asks for a recording and does not read it costs a buffer, not the whole file."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.live.endless_answer import CHUNK, CHUNKS
from tests.live.site import ROOT, Site, new_site, wait_until
from tests.live.test_web_limits import memory_mib
from tests.services import is_listening

pytestmark = pytest.mark.live
SENT_MAX_BYTES = 64 << 20  # what the system itself keeps of a connection differs


@pytest.fixture
def web() -> Iterator[tuple[Site, int]]:
    """Daphne with an answer of 256 MiB, and its id."""
    with new_site() as site:
        command = ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(site.port)]
        daphne = subprocess.Popen(
            [sys.executable, "-m", *command, "tests.live.endless_answer:application"],
            cwd=ROOT,
            env=site.environment,
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
