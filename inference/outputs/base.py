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
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol, cast

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


class PacketInput(asyncio.Protocol):
    """Stdin of a child: one line, then packets, handed over as they arrive.

    Not a stream reader: to wake a task that waits costs a second turn of the loop for each picture.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._line: asyncio.Future[bytes] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        self._received = bytearray()
        self._take: Callable[[list[EncodedPacket]], Awaitable[None] | None] | None = None
        self._held: asyncio.Future[None] | None = None
        self._has_ended = False

    @classmethod
    async def open(cls, stream: BinaryIO) -> PacketInput:
        """The input that a child has on a pipe, its stdin as a rule."""
        _, opened = await asyncio.get_running_loop().connect_read_pipe(cls, stream)
        return opened

    async def first_line(self) -> bytes:
        """The line before all packets; at the end of the input what there is of it."""
        return await self._line

    async def pass_on(self, take: Callable[[list[EncodedPacket]], Awaitable[None] | None]) -> None:
        """Until the end of the input. take(packets): all that came together, in order; what it
        returns is awaited before more is read. Raises what either raises.
        """
        self._take = take
        self._pass_on()
        try:
            await self._over
        finally:
            if self._held is not None:
                self._held.cancel()

    def close(self) -> None:
        """Read no more."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.ReadTransport, transport)
        # Its own 256 KiB are mapped and unmapped by the allocator for each read.
        vars(transport)["max_size"] = _READ_BYTES

    def data_received(self, data: bytes) -> None:
        # A packet is written in one piece and nearly always arrives in one.
        self._received += data
        if not self._line.done():
            line, end, rest = self._received.partition(b"\n")
            if end:
                self._received = rest
                self._line.set_result(bytes(line))
        self._pass_on()

    def connection_lost(self, failure: Exception | None) -> None:
        self._has_ended = True
        if not self._line.done():
            self._line.set_result(bytes(self._received))
        self._pass_on()

    def _pass_on(self) -> None:
        if self._take is None or self._held is not None or self._over.done():
            return
        try:
            packets = list(_cut_packets(self._received))
            waits = self._take(packets) if packets else None
        except Exception as error:  # noqa: BLE001 - for the one who waits in `pass_on`
            self._over.set_exception(error)
            return
        if waits is not None:
            self._hold(waits)
        elif self._has_ended:
            self._over.set_result(None)

    def _hold(self, waits: Awaitable[None]) -> None:
        self._transport.pause_reading()
        self._held = asyncio.ensure_future(waits)
        self._held.add_done_callback(self._go_on)

    def _go_on(self, held: asyncio.Future[None]) -> None:
        self._held = None
        if self._over.done() or held.cancelled():
            return
        failure = held.exception()
        if failure is not None:
            self._over.set_exception(failure)
            return
        self._transport.resume_reading()
        self._pass_on()


def _cut_packets(received: bytearray) -> Iterator[EncodedPacket]:
    """Take the complete packets off."""
    at = 0
    while len(received) - at >= HEADER_BYTES:
        header = bytes(received[at : at + HEADER_BYTES])
        stream, is_keyframe, size, pts, duration = unpack_header(header)
        end = at + HEADER_BYTES + size
        if len(received) < end:
            break
        yield EncodedPacket(
            stream, pts, duration, is_keyframe, bytes(received[at + HEADER_BYTES : end])
        )
        at = end
    del received[:at]
