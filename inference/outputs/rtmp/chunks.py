"""RTMP chunk stream: messages to bytes and back, without any input or output of its own.

Source: Adobe's Real Time Messaging Protocol Chunk Stream, 2012, sections 5.3 and 5.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SET_CHUNK_SIZE: Final = 1
ACKNOWLEDGEMENT: Final = 3
USER_CONTROL: Final = 4
WINDOW_ACKNOWLEDGEMENT_SIZE: Final = 5
AUDIO: Final = 8
VIDEO: Final = 9
DATA_AMF0: Final = 18
COMMAND_AMF0: Final = 20

CONTROL_CHANNEL: Final = 2
COMMAND_CHANNEL: Final = 3
AUDIO_CHANNEL: Final = 4
VIDEO_CHANNEL: Final = 6

DEFAULT_CHUNK_BYTES: Final = 128
# One keyframe in few chunks: 4 kB is what nginx-rtmp and the platforms' encoders use.
SENT_CHUNK_BYTES: Final = 4096
_EXTENDED: Final = 0xFFFFFF
# A server speaks to a publisher in short commands; more is not a server we know.
_MAX_MESSAGE_BYTES: Final = 1 << 20
# Each may hold an unfinished message; servers use a handful.
_MAX_CHANNELS: Final = 32


class ChunkError(ValueError):
    """The peer does not speak RTMP."""


@dataclass(frozen=True, slots=True)
class Message:
    """One RTMP message. timestamp: ms, 32 bit."""

    type: int
    stream: int
    timestamp: int
    payload: bytes


def write_message(
    channel: int, message: Message, *, chunk_bytes: int = SENT_CHUNK_BYTES
) -> list[bytes]:
    """The message as chunks, ready for `writelines`: a full header first, then type 3 headers."""
    extended = message.timestamp >= _EXTENDED
    stamp = min(message.timestamp, _EXTENDED)
    tail = struct.pack(">I", message.timestamp & 0xFFFFFFFF) if extended else b""
    header = bytes([channel]) + stamp.to_bytes(3, "big") + len(message.payload).to_bytes(3, "big")
    parts = [header + bytes([message.type]) + struct.pack("<I", message.stream) + tail]
    payload = memoryview(message.payload)
    for start in range(0, len(payload), chunk_bytes):
        if start:
            parts.append(bytes([0xC0 | channel]) + tail)
        parts.append(bytes(payload[start : start + chunk_bytes]))
    return parts


@dataclass(slots=True)
class _Channel:
    timestamp: int = 0
    delta: int = 0
    length: int = 0
    type: int = 0
    stream: int = 0
    is_extended: bool = False
    body: bytearray | None = None


class ChunkReader:
    """Puts received bytes together to messages; follows the peer's SetChunkSize itself."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._channels: dict[int, _Channel] = {}
        self._chunk_bytes = DEFAULT_CHUNK_BYTES

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages completed by these bytes. Raises ChunkError."""
        self._buffer += data
        while (size := self._next_chunk()) is not None:
            consumed, message = size
            del self._buffer[:consumed]
            if message is None:
                continue
            if message.type == SET_CHUNK_SIZE and len(message.payload) >= 4:
                self._chunk_bytes = max(1, struct.unpack(">I", message.payload[:4])[0] & 0x7FFFFFFF)
            yield message

    def _next_chunk(self) -> tuple[int, Message | None] | None:
        """(bytes used, message if complete) of the first chunk; None = need more bytes."""
        basic = self._basic_header()
        if basic is None:
            return None
        kind, channel_id, position = basic
        known = self._channels.get(channel_id)
        if known is None and kind != 0:
            raise ChunkError("a chunk continues a message that never began")
        if known is None and len(self._channels) >= _MAX_CHANNELS:
            raise ChunkError(f"more than {_MAX_CHANNELS} channels at once")
        parsed = self._message_header(kind, position, known or _Channel())
        if parsed is None:
            return None
        channel, position = parsed
        if channel.length > _MAX_MESSAGE_BYTES:
            raise ChunkError(f"message of {channel.length} bytes")
        have = len(channel.body or b"")
        size = min(self._chunk_bytes, channel.length - have)
        if len(self._buffer) < position + size:
            return None
        return self._take(channel_id, channel, position, size)

    def _take(
        self, channel_id: int, channel: _Channel, position: int, size: int
    ) -> tuple[int, Message | None]:
        body = channel.body or bytearray()
        body += self._buffer[position : position + size]
        complete = len(body) >= channel.length
        channel.body = None if complete else body
        self._channels[channel_id] = channel
        if not complete:
            return position + size, None
        message = Message(channel.type, channel.stream, channel.timestamp, bytes(body))
        return position + size, message

    def _basic_header(self) -> tuple[int, int, int] | None:
        if not self._buffer:
            return None
        kind, channel_id = self._buffer[0] >> 6, self._buffer[0] & 0x3F
        if channel_id > 1:
            return kind, channel_id, 1
        size = 2 + channel_id
        if len(self._buffer) < size:
            return None
        extra = int.from_bytes(self._buffer[1:size], "little")
        return kind, 64 + extra, size

    def _message_header(
        self, kind: int, position: int, old: _Channel
    ) -> tuple[_Channel, int] | None:
        size = (11, 7, 3, 0)[kind]
        raw = bytes(self._buffer[position : position + size])
        if len(raw) < size:
            return None
        position += size
        stamp = int.from_bytes(raw[:3], "big") if kind < 3 else 0
        is_extended = stamp == _EXTENDED if kind < 3 else old.is_extended
        if is_extended:
            if len(self._buffer) < position + 4:
                return None
            stamp = int.from_bytes(self._buffer[position : position + 4], "big")
            position += 4
        channel = _Channel(
            length=int.from_bytes(raw[3:6], "big") if kind < 2 else old.length,
            type=raw[6] if kind < 2 else old.type,
            stream=struct.unpack("<I", raw[7:11])[0] if kind == 0 else old.stream,
            is_extended=is_extended,
            body=old.body,
        )
        continues = kind == 3 and old.body is not None
        channel.delta = stamp if kind in (1, 2) else (0 if kind == 0 else old.delta)
        base = stamp if kind == 0 else old.timestamp + (0 if continues else channel.delta)
        channel.timestamp = base & 0xFFFFFFFF
        return channel, position
