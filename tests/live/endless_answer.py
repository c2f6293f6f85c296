"""Under our Daphne: answers of many MiB; `/sent` says how much was sent so far.

`/` comes in pieces, `/whole` in one, `/broken` fails after its first. READER_SECONDS: how long who
reads nothing is waited for.
"""

from __future__ import annotations

import os
from typing import Any, Final

import livestudio.asgi  # noqa: F401 - sets the limits of Daphne
from livestudio import web_limits

CHUNK: Final = bytes(256 * 1024)
CHUNKS: Final = 1024
WHOLE: Final = bytes(16 * 1024 * 1024)
_sent = 0

if "READER_SECONDS" in os.environ:
    web_limits.READER_SECONDS = int(os.environ["READER_SECONDS"])  # type: ignore[misc]


async def application(scope: Any, receive: Any, send: Any) -> None:
    global _sent  # noqa: PLW0603 - all answers are measured
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/sent":
        await send({"type": "http.response.body", "body": str(_sent).encode()})
        return
    if scope["path"] == "/whole":
        await send({"type": "http.response.body", "body": WHOLE})
        _sent += len(WHOLE)
        return
    if scope["path"] == "/broken":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise RuntimeError("it fails inside its answer")
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        _sent += len(CHUNK)
    await send({"type": "http.response.body", "body": b""})
