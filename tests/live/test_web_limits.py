"""Daphne as it is started, against clients that send too much, too slowly, or never an end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from livestudio.web_limits import FILMS_AT_A_TIME
from tests.live.site import Site, new_site, wait_until

pytestmark = pytest.mark.live
GROWTH_MAX_MIB = 60.0
# Of somebody else's answer, on any machine. Who is held up by a stranger waits for minutes.
ANSWER_SECONDS = 20.0
HALF_OPEN = 500


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[Site, int]]:
    """A web process alone, and its id."""
    with new_site() as site:
        site.migrate()
        daphne = site.start_web()
        try:
            yield site, daphne.pid
        finally:
            daphne.kill()
            daphne.wait()


def memory_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=60)


def answers(site: Site) -> float:
    """Seconds until another visitor has an answer."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
    return time.monotonic() - began


def post(path: str, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", *headers)
    return "\r\n".join([*lines, "", ""]).encode()


def read(stream: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := stream.recv(65536):
            received += piece
    return received


def push(stream: socket.socket, piece: bytes, times: int) -> int:
    """How many pieces were taken before the server hung up."""
    for number in range(times):
        try:
            stream.sendall(piece)
        except OSError:
            return number
    return times


def test_bodies_without_bounds_are_cut_and_others_are_answered(web: tuple[Site, int]) -> None:
    site, pid = web
    before = memory_mib(pid)
    path = "/api/v1/auth/token/"

    with connect(site) as announced:
        announced.sendall(post(path, f"Content-Length: {10 << 30}", "Expect: 100-continue"))
        told = read(announced)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b'"error": {"code": "invalid"' in told
    assert b"100 Continue" not in told

    with connect(site) as endless:
        endless.sendall(post(path, "Transfer-Encoding: chunked"))
        piece = b"10000\r\n" + bytes(65536) + b"\r\n"
        assert push(endless, piece, 4000) < 400  # 250 MB were meant to be sent

    for films in ("/api/v1/avatars/", "/admin/avatars/avatar/add/"):
        with connect(site) as film:
            film.sendall(post(films, f"Content-Length: {300 << 20}"))
            assert read(film).startswith(b"HTTP/1.1 413 ")  # who says nothing of themselves

    with connect(site) as longer:
        longer.sendall(post(path, "Content-Length: 2", "Connection: close") + b"{}" + bytes(4096))
        assert read(longer).startswith(b"HTTP/1.1 415 ")

    assert memory_mib(pid) - before < GROWTH_MAX_MIB
    assert answers(site) < ANSWER_SECONDS


def test_films_have_few_places(web: tuple[Site, int]) -> None:
    site, _ = web
    with contextlib.ExitStack() as opened:
        for _ in range(FILMS_AT_A_TIME):
            assert has_place(opened.enter_context(connect(site)))
        told = read(begin_film(opened.enter_context(connect(site))))
        in_admin = ("/admin/avatars/avatar/add/", "Cookie: sessionid=x")
        told_admin = read(begin_film(opened.enter_context(connect(site)), *in_admin))

    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 30" in told
    assert told_admin.startswith(b"HTTP/1.1 503 ")  # the places are the same
    with contextlib.ExitStack() as opened:
        wait_until(
            lambda: has_place(opened.enter_context(connect(site))), "a place that was given back"
        )


def begin_film(
    stream: socket.socket,
    path: str = "/api/v1/avatars/",
    who: str = "Authorization: Bearer x",
) -> socket.socket:
    """Announce a film and send a little of it."""
    stream.sendall(post(path, f"Content-Length: {100 << 20}", who) + bytes(1024))
    return stream


def has_place(stream: socket.socket) -> bool:
    """Whether a film that begins is waited for: nothing is answered."""
    begin_film(stream)
    with contextlib.closing(stream.dup()) as answer:
        answer.settimeout(0.5)
        try:
            answer.recv(1)
        except TimeoutError:
            return True
        return False


@pytest.mark.long
def test_half_open_connections_leave_room_for_others(web: tuple[Site, int]) -> None:
    site, pid = web
    before = memory_mib(pid)
    starts = (
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        post("/api/v1/shows/", "Content-Length: 99"),
    )

    with contextlib.ExitStack() as opened:
        for number in range(HALF_OPEN):
            stream = opened.enter_context(connect(site))
            stream.sendall(starts[number % len(starts)])
        assert answers(site) < ANSWER_SECONDS

    assert memory_mib(pid) - before < GROWTH_MAX_MIB


@pytest.mark.long
def test_byte_now_and_then_buys_no_time(web: tuple[Site, int]) -> None:
    site, _ = web
    with connect(site) as headers, connect(site) as line:
        headers.sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                headers.sendall(b"X-A: b\r\n")
                line.sendall(b"G")
            except OSError:
                break
            time.sleep(2)

    assert 25 < time.monotonic() - began < 55


async def test_huge_messages_of_a_stranger_end_the_socket(web: tuple[Site, int]) -> None:
    site, pid = web
    before = memory_mib(pid)
    address = (
        f"ws://127.0.0.1:{site.port}/ws/v1/broadcasts/{'0' * 8}-0000-4000-8000-{'0' * 12}/watch/"
    )
    async with aiohttp.ClientSession() as session:
        for size in (512 * 1024, 64 << 20):
            async with session.ws_connect(address) as stranger:
                with contextlib.suppress(ConnectionError):
                    await stranger.send_bytes(bytes(size))
                async with asyncio.timeout(60):
                    while not stranger.closed:
                        await stranger.receive()
                assert stranger.close_code in (1006, 1009, 4401)
            assert answers(site) < ANSWER_SECONDS

    assert memory_mib(pid) - before < GROWTH_MAX_MIB
