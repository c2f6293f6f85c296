"""Under our Daphne: `/` answers with 256 MiB, `/sent` says how much of it was sent so far."""

from __future__ import annotations

from typing import Any, Final

import livestudio.asgi  # noqa: F401 - sets the limits of Daphne

CHUNK: Final = bytes(256 * 1024)
CHUNKS: Final = 1024
_sent = 0


async def application(scope: Any, receive: Any, send: Any) -> None:
    global _sent  # noqa: PLW0603 - one answer is measured
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/sent":
        await send({"type": "http.response.body", "body": str(_sent).encode()})
        return
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        _sent += len(CHUNK)
    await send({"type": "http.response.body", "body": b""})
