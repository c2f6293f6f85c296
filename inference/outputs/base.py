"""What outputs share: where packets come from, how a child is told its job, how it reports.

A child process reads one JSON line and then packed packets on stdin and writes JSON lines on
stdout: {"state": "live" | "failed" | "closed", ...} and, each second, {"progress": {...}}.
End of file on stdin ends it. URL and key come in that first line, never by argv or environment.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from inference.media.packets import HEADER_BYTES, EncodedPacket, StreamHeaders, unpack_header

Json = dict[str, Any]

# What waits here is old speech after an interrupt: little more than a keyframe.
_READ_BYTES: Final = 1 << 15


class PacketSource(Protocol):
    """A bounded subscription to the encoded packets, which drops when its reader is slow."""

    @property
    def dropped(self) -> int: ...

    def listen(self, on_packet: Callable[[EncodedPacket | None], None]) -> None:
        """Call this, from any thread, with each packet that can be taken and with None at the end.

        It must not block.
        """

    def take(self) -> EncodedPacket | None:
        """The next packet, None when there is none. Raises EOFError once closed and empty."""

    def close(self) -> None: ...


@dataclass(slots=True)
class OutputReport:
    """What an output tells: state as in the protocol, reason in words a host understands."""

    id: str
    state: str
    reason: str = ""
    bitrate_kbps: int = 0
    dropped: int = 0
    reconnects: int = 0
    path: str | None = None
    duration_ms: int | None = None


def headers_to_json(headers: StreamHeaders) -> Json:
    """The JSON form of stream headers, binary fields in base64."""
    values = dataclasses.asdict(headers)
    for name in ("h264", "aac"):
        values[name] = base64.b64encode(values[name]).decode()
    return values


def headers_from_json(raw: Json) -> StreamHeaders:
    """The inverse of `headers_to_json`."""
    binary = {name: base64.b64decode(raw[name]) for name in ("h264", "aac")}
    return StreamHeaders(**{**raw, **binary})


def report(**values: Any) -> None:
    """Write one line to the supervisor; a supervisor that is gone ends the child soon anyway."""
    line = json.dumps(values, ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), line.encode())


async def open_stdin() -> asyncio.StreamReader:
    """Stdin of a child as an asyncio stream."""
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    return reader


async def read_packets(reader: asyncio.StreamReader) -> AsyncIterator[EncodedPacket]:
    """Packets of a child's stdin until its end of file."""
    # A packet is written in one piece and nearly always arrives in one: one step for all of it.
    received = bytearray()
    while chunk := await reader.read(_READ_BYTES):
        received += chunk
        while (packet := _cut_packet(received)) is not None:
            yield packet


def _cut_packet(received: bytearray) -> EncodedPacket | None:
    """Take the first packet off, None while it is not complete."""
    if len(received) < HEADER_BYTES:
        return None
    stream, is_keyframe, size, pts, duration = unpack_header(bytes(received[:HEADER_BYTES]))
    end = HEADER_BYTES + size
    if len(received) < end:
        return None
    data = bytes(received[HEADER_BYTES:end])
    del received[:end]
    return EncodedPacket(stream, pts, duration, is_keyframe, data)
