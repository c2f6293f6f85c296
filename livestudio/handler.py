"""HTTP by Django on a few threads that are kept, each with its database connection.

Django's own ASGI handler starts a thread for each request, and a connection with it that nobody
closes in time: MariaDB refused new ones at 200 requests a second. It also changes threads for each
middleware.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from livestudio.metrics import note_request


class ThreadedHandler(ASGIHandler):
    """Answers WEB_THREADS requests at once. Bodies are read and sent without a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._free = asyncio.Semaphore(settings.WEB_THREADS)
        # The one used last comes first: few requests at a time keep few connections.
        self._idle: list[ThreadPoolExecutor] = []
        self._at_work: set[asyncio.Task[HttpResponseBase]] = set()
        # Runs what Django does around a request, which asks the database nothing.
        self._around = ThreadPoolExecutor(1, thread_name_prefix="around-requests")

    def load_middleware(self, is_async: bool = False) -> None:
        """All of it synchronous, whatever is asked: one change of threads for a request."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext(executor=self._around):
            await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, made on one thread from the first middleware to the last."""
        await self._free.acquire()
        work = asyncio.create_task(self._respond_on_a_thread(request))
        self._at_work.add(work)
        work.add_done_callback(self._at_work.discard)
        try:
            # Who hangs up ends the waiting, not the work: its thread is nobody else's before that.
            return in_pieces(await asyncio.shield(work))
        except asyncio.CancelledError:
            work.add_done_callback(_close_unread)
            raise

    async def _respond_on_a_thread(self, request: HttpRequest) -> HttpResponseBase:
        thread = self._idle.pop() if self._idle else _new_thread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                return await sync_to_async(self._respond)(request)
        finally:
            self._idle.append(thread)
            self._free.release()

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        # Django's signals do so on a thread of their own, whose connections are others.
        close_old_connections()
        began = time.perf_counter()
        try:
            response = self.get_response(request)
        finally:
            close_old_connections()
        note_request(request, response.status_code, time.perf_counter() - began)
        return response


def in_pieces(response: HttpResponseBase) -> HttpResponseBase:
    """An answer that is read as it is sent: Django reads all of a file first, exports too."""
    if isinstance(response, StreamingHttpResponse) and not response.is_async:
        response.streaming_content = _read(iter(response))
    return response


async def _read(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _close_unread(work: asyncio.Task[HttpResponseBase]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().close()


def _new_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="request")
