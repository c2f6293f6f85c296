"""Requests run on a few threads that are kept."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import path

from livestudio.handler import ThreadedHandler

# Of a file, as Django reads it for ASGI.
PIECE_BYTES = ThreadedHandler.chunk_size
seen: list[int] = []
at_once: list[int] = [0, 0]
counting = threading.Lock()


def slow(request: HttpRequest) -> HttpResponse:
    with counting:
        at_once[0] += 1
        at_once[1] = max(at_once)
        seen.append(threading.get_ident())
    time.sleep(0.05)
    with counting:
        at_once[0] -= 1
    return HttpResponse("done")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a view that fails")


class Read:
    """A file that notes how much was read of it."""

    def __init__(self) -> None:
        self.left, self.most, self.is_closed = 10 * PIECE_BYTES, 0, False

    def read(self, size: int) -> bytes:
        piece = b"x" * min(size, self.left)
        self.left -= len(piece)
        self.most = max(self.most, len(piece))
        return piece

    def close(self) -> None:
        self.is_closed = True


files: list[Read] = []


def large_file(request: HttpRequest) -> FileResponse:
    files.append(Read())
    return FileResponse(files[-1], filename="export.zip")


def held(request: HttpRequest) -> FileResponse:
    is_held, let_go = holds
    is_held.set()
    let_go.wait(60)
    return large_file(request)


holds: list[threading.Event] = []
urlpatterns = [
    path("slow", slow), path("broken", broken), path("file", large_file), path("held", held),
]  # fmt: skip


@pytest.fixture
def handler(settings: Any) -> ThreadedHandler:
    settings.ROOT_URLCONF = __name__
    settings.WEB_THREADS = 2
    seen.clear()
    files.clear()
    at_once[:] = [0, 0]
    return ThreadedHandler()


def scope_of(path: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "query_string": b"",
        "headers": [(b"host", b"studio.test")],
    }  # fmt: skip


async def get(handler: ThreadedHandler, path: str) -> int:
    browser = ApplicationCommunicator(handler, scope_of(path))
    await browser.send_input({"type": "http.request"})
    answer = await browser.receive_output(60)
    body = await browser.receive_output(60)
    await browser.wait(60)
    assert not body.get("more_body")
    return int(answer["status"])


# Django looks after old connections around each request.
@pytest.mark.django_db
async def test_requests_share_few_threads_and_the_others_wait(handler: ThreadedHandler) -> None:
    answers = await asyncio.gather(*(get(handler, "/slow") for _ in range(8)))

    assert answers == [200] * 8
    assert at_once[1] == 2
    assert len(set(seen)) == 2
    assert threading.get_ident() not in seen


@pytest.mark.django_db
async def test_thread_is_given_back_whatever_happens(
    handler: ThreadedHandler, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [await get(handler, "/broken") for _ in range(5)]

    assert answers == [500] * 5
    assert await get(handler, "/slow") == 200
    assert "a view that fails" in caplog.text


@pytest.mark.django_db
async def test_who_hangs_up_keeps_nobody_waiting(handler: ThreadedHandler) -> None:
    held, let_go = threading.Event(), threading.Event()
    holds[:] = [held, let_go]
    gone = ApplicationCommunicator(handler, scope_of("/held"))
    await gone.send_input({"type": "http.request"})
    await asyncio.to_thread(held.wait, 60)
    await gone.send_input({"type": "http.disconnect"})
    await gone.wait(60)

    try:
        answers = await asyncio.wait_for(get(handler, "/slow"), 20)
    finally:
        let_go.set()

    assert answers == 200
    async with asyncio.timeout(60):
        while not (files and files[-1].is_closed):
            await asyncio.sleep(0.01)
    assert await asyncio.gather(get(handler, "/slow"), get(handler, "/slow")) == [200, 200]
    assert at_once[1] == 2  # the thread of who hung up serves again


@pytest.mark.django_db
async def test_file_is_read_as_it_is_sent(handler: ThreadedHandler) -> None:
    """Not all of it first, as Django does with files: an export may be larger than the memory."""
    sent, left = 0, []
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request"})

    async def send(message: Any) -> None:
        nonlocal sent
        if body := message.get("body"):
            sent += len(body)
            left.append(files[-1].left)

    await handler(scope_of("/file"), incoming.get, send)

    assert sent == 10 * PIECE_BYTES
    assert left == [number * PIECE_BYTES for number in reversed(range(10))]
    assert (files[-1].most, files[-1].is_closed) == (PIECE_BYTES, True)
