"""Messages between the media core and a worker: a JSON header and raw bytes, length-prefixed.

Layout: u32 header length, u32 payload length (both little-endian), header, payload.
A worker reads them on stdin and writes them on its original stdout; end of file ends it.

speech worker  <- synthesize {request, text, voice: {engine, language, settings}, emotion,
                  directives, number, generation, priority: say|answer|prefetch} | cancel {request}
                  | ping {}
               -> ready {pid} | begun {request} | chunk {request} + s16 mono 48 kHz
                  | track {request, visemes: [[s, index, weight]], words: [[s, position]],
                           marks: [[s, name]], final}
                  | done {request, samples} | failed {request, code, message, retryable} | pong {}
face worker    <- configure {engine, setup: FaceSetup, ring: path}
                  | speech {FaceSpeech} (+ s16 mono 48 kHz for engines that need audio)
                  | cut {at_sample, generation} | drop {utterance, from_sample} | expression
                  {name, emotion, at_sample}
                  | gesture {name, at_sample} | clip {name, at_sample}
               -> loading {} (while it takes long) | ready {pid} | failed {code, message, retryable}
                  | late {frames} (whose face another process did not paint in time, so far)
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any, BinaryIO, Final

Json = dict[str, Any]

_LENGTHS: Final = struct.Struct("<II")
# A sentence of 60 s at 48 kHz is 5.8 MB; anything larger is a broken stream.
MAX_BYTES: Final = 16 * 1024 * 1024


class WireError(Exception):
    """The byte stream is not ours: the peer is broken and must be replaced."""


def pack(header: Json, payload: bytes = b"") -> bytes:
    """The bytes of one message."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(text), len(payload)) + text + payload


def read_message(stream: BinaryIO) -> tuple[Json, bytes] | None:
    """The next message of a blocking stream, None at its end. Raises WireError."""
    prefix = stream.read(_LENGTHS.size)
    if len(prefix) < _LENGTHS.size:
        return None
    header_bytes, payload_bytes = _checked(prefix)
    body = stream.read(header_bytes + payload_bytes)
    if len(body) < header_bytes + payload_bytes:
        return None
    return _parse(body[:header_bytes]), body[header_bytes:]


async def read_message_async(stream: asyncio.StreamReader) -> tuple[Json, bytes] | None:
    """The next message of an asyncio stream, None at its end. Raises WireError."""
    try:
        header_bytes, payload_bytes = _checked(await stream.readexactly(_LENGTHS.size))
        header = await stream.readexactly(header_bytes)
        payload = await stream.readexactly(payload_bytes)
    except asyncio.IncompleteReadError:
        return None
    return _parse(header), payload


def _checked(prefix: bytes) -> tuple[int, int]:
    header_bytes, payload_bytes = _LENGTHS.unpack(prefix)
    if header_bytes > MAX_BYTES or payload_bytes > MAX_BYTES:
        raise WireError(f"message of {header_bytes} + {payload_bytes} bytes")
    return header_bytes, payload_bytes


def _parse(raw: bytes) -> Json:
    try:
        header = json.loads(raw)
    except ValueError as error:
        raise WireError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict) or "type" not in header:
        raise WireError("header without a type")
    return header
