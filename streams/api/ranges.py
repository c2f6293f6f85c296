"""HTTP Range (RFC 9110, section 14) on a file, streamed without holding it in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from livestudio.common.api import error_body

CHUNK_BYTES: Final = 256 * 1024
_ONE_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class RangeUnsatisfiableError(ValueError):
    """The range lies outside the file."""


def serve_file(path: Path, *, content_type: str, range_header: str | None) -> HttpResponseBase:
    """200 with the whole file, 206 with a part, 416 when the part lies outside.

    Several ranges at once are answered with the whole file, as the standard allows.
    """
    size = path.stat().st_size
    try:
        part = parse_range(range_header, size)
    except RangeUnsatisfiableError:
        return _refused(size)
    first, last = part or (0, size - 1)
    stream = _read(path, first, last - first + 1)
    answer = StreamingHttpResponse(stream, status=206 if part else 200, content_type=content_type)
    if part:
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    answer["Content-Length"] = str(last - first + 1)
    answer["Accept-Ranges"] = "bytes"
    answer["Content-Disposition"] = f'inline; filename="{path.name}"'
    return answer


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, last) byte, ends included; None = the whole file. Raises RangeUnsatisfiableError."""
    match = _ONE_RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first_text, last_text = match.groups()
    if not first_text:
        length = min(int(last_text), size)
        first, last = size - length, size - 1
    else:
        first = int(first_text)
        last = min(int(last_text), size - 1) if last_text else size - 1
        if last_text and int(last_text) < first:
            return None  # not a range at all, so the header is ignored
    if first >= size or last < first:
        raise RangeUnsatisfiableError
    return first, last


def _refused(size: int) -> HttpResponse:
    body = error_body("range_not_satisfiable", "The file has no such part.")
    headers = {"Content-Range": f"bytes */{size}"}
    return JsonResponse(body, status=416, headers=headers)


async def _read(path: Path, first: int, length: int) -> AsyncIterator[bytes]:
    # An asynchronous iterator: under ASGI Django reads a synchronous one into memory whole.
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        while length > 0:
            chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk
    finally:
        file.close()
