"""Requests run on a few threads that are kept."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.urls import path

from livestudio.handler import ThreadedHandler

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


urlpatterns = [path("slow", slow), path("broken", broken)]


@pytest.fixture
def handler(settings: Any) -> ThreadedHandler:
    settings.ROOT_URLCONF = __name__
    settings.WEB_THREADS = 2
    seen.clear()
    at_once[:] = [0, 0]
    return ThreadedHandler()


async def get(handler: ThreadedHandler, path: str) -> int:
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"",
        "headers": [(b"host", b"studio.test")],
    }  # fmt: skip
    browser = ApplicationCommunicator(handler, scope)
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
