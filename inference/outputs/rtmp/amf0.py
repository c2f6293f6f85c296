"""AMF0, the value encoding of RTMP commands: encode and decode.

Source: Action Message Format AMF 0, Adobe 2007. Only the types that servers send to publishers.
"""

from __future__ import annotations

import struct
from typing import Any, Final

NUMBER: Final = 0x00
BOOLEAN: Final = 0x01
STRING: Final = 0x02
OBJECT: Final = 0x03
NULL: Final = 0x05
UNDEFINED: Final = 0x06
ECMA_ARRAY: Final = 0x08
OBJECT_END: Final = 0x09
STRICT_ARRAY: Final = 0x0A
DATE: Final = 0x0B
LONG_STRING: Final = 0x0C

# A status object nests twice at most; deeper input is an attack on the stack.
_MAX_DEPTH: Final = 16


class Amf0Error(ValueError):
    """The bytes are not AMF0."""


class EcmaArray(dict[str, Any]):
    """A dict written as an ECMA array, which `onMetaData` has to be for some servers."""


def encode(*values: Any) -> bytes:
    """The AMF0 bytes of the values, one after another."""
    return b"".join(_encode_value(value) for value in values)


def _encode_value(value: Any) -> bytes:
    if value is None:
        return bytes([NULL])
    if isinstance(value, bool):
        return bytes([BOOLEAN, value])
    if isinstance(value, int | float):
        return struct.pack(">Bd", NUMBER, value)
    if isinstance(value, str):
        return _encode_string(value)
    if isinstance(value, EcmaArray):
        return struct.pack(">BI", ECMA_ARRAY, len(value)) + _encode_properties(value)
    if isinstance(value, dict):
        return bytes([OBJECT]) + _encode_properties(value)
    raise Amf0Error(f"cannot write a {type(value).__name__}")


def _encode_string(value: str) -> bytes:
    raw = value.encode()
    if len(raw) > 0xFFFF:
        return struct.pack(">BI", LONG_STRING, len(raw)) + raw
    return struct.pack(">BH", STRING, len(raw)) + raw


def _encode_properties(value: dict[str, Any]) -> bytes:
    parts = []
    for key, item in value.items():
        raw = key.encode()
        parts.append(struct.pack(">H", len(raw)) + raw + _encode_value(item))
    return b"".join(parts) + struct.pack(">HB", 0, OBJECT_END)


def decode(data: bytes) -> list[Any]:
    """All values in the bytes. Raises Amf0Error."""
    reader = _Reader(data)
    values = []
    while reader.position < len(data):
        values.append(reader.value(0))
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        raw = self.data[self.position : self.position + size]
        if len(raw) < size:
            raise Amf0Error("ends in the middle of a value")
        self.position += size
        return raw

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise Amf0Error("nested too deep")
        marker = self.take(1)[0]
        if marker == NUMBER:
            return struct.unpack(">d", self.take(8))[0]
        if marker == BOOLEAN:
            return bool(self.take(1)[0])
        if marker in (NULL, UNDEFINED):
            return None
        if marker == DATE:
            return struct.unpack(">d", self.take(10)[:8])[0]
        return self._composite(marker, depth)

    def _composite(self, marker: int, depth: int) -> Any:
        if marker == STRING:
            return self.string(">H")
        if marker == LONG_STRING:
            return self.string(">I")
        if marker == OBJECT:
            return self.properties(depth)
        if marker == ECMA_ARRAY:
            self.take(4)
            return self.properties(depth)
        if marker == STRICT_ARRAY:
            (count,) = struct.unpack(">I", self.take(4))
            return [self.value(depth + 1) for _ in range(min(count, len(self.data)))]
        raise Amf0Error(f"unknown marker {marker:#04x}")

    def string(self, length_format: str) -> str:
        (size,) = struct.unpack(length_format, self.take(struct.calcsize(length_format)))
        return self.take(size).decode(errors="replace")

    def properties(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while True:
            key = self.string(">H")
            if not key and self.data[self.position : self.position + 1] == bytes([OBJECT_END]):
                self.position += 1
                return result
            result[key] = self.value(depth + 1)
