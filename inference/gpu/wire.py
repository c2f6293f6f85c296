"""What client and server say to each other, over a Unix socket that keeps messages apart.

    client -> server   hello: JSON, with the open file of the presenter's film
    server -> client   welcome: JSON, with the memory that both share; or refused: JSON, and the end
    client -> server   requests, up to 64 in a message
    server -> client   answers, up to 64 in a message

The memory holds a slot for each request that may be open at once: what a face is made of and the
face itself, the sound of a step and its features. The client fills a slot and then sends its
request; the server fills it and then answers; nobody else touches it in between.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from inference.engines.base import Json

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 16 * 1024
MAX_RECORDS: Final = 64

PAINT_SLOTS: Final = 24
HEAR_SLOTS: Final = 4
SOUND_SAMPLES: Final = 30 * 16_000
SOUND_BYTES: Final = SOUND_SAMPLES * 4
STEP_FRAMES_MAX: Final = 8

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

# sun_path of Linux, with its zero.
_ADDRESS_BYTES: Final = 107
_PAGE: Final = mmap.PAGESIZE


class WireError(Exception):
    """A message is none of ours; the text says what is wrong with it."""


class Kind(IntEnum):
    """What a client asks for."""

    PAINT = 1
    HEAR = 2
    WITHDRAW = 3
    ALIVE = 4


class Outcome(IntEnum):
    """What became of a request."""

    DONE = 1
    # It could not have been ready when it was due.
    LATE = 2
    # The client asked for more than it was given room for, or the pass failed.
    FAILED = 3
    WITHDRAWN = 4


class Request(NamedTuple):
    """One record of a client.

    frames: HEAR: how many. slot: of the memory. samples: HEAR: of sound.
    number: the client's own, never used twice. due: seconds of CLOCK_MONOTONIC.
    first: PAINT: the film frame; HEAR: the token of the first sample. frame: HEAR: the first one.
    """

    kind: int
    frames: int = 0
    slot: int = 0
    samples: int = 0
    number: int = 0
    due: float = 0.0
    first: int = 0
    frame: int = 0


class Answer(NamedTuple):
    """One record of the server."""

    outcome: int
    slot: int
    number: int


_REQUEST: Final = struct.Struct("<BBHIQdqq")
_ANSWER: Final = struct.Struct("<BxHxxxxQ")


def pack_requests(requests: Iterable[Request]) -> bytes:
    return b"".join(_REQUEST.pack(*request) for request in requests)


def pack_answers(answers: Iterable[Answer]) -> bytes:
    return b"".join(_ANSWER.pack(*answer) for answer in answers)


def unpack_requests(raw: bytes) -> list[Request]:
    """The records of a message. Raises WireError."""
    return [Request(*values) for values in _records(_REQUEST, raw)]


def unpack_answers(raw: bytes) -> list[Answer]:
    """The records of a message. Raises WireError."""
    return [Answer(*values) for values in _records(_ANSWER, raw)]


def pack_json(values: Json) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def unpack_json(raw: bytes) -> Json:
    """The object in a message. Raises WireError."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise WireError("it is not JSON") from error
    if not isinstance(values, dict):
        raise WireError("it is no object")
    return values


@dataclass(frozen=True, slots=True)
class Shapes:
    """What the networks take and give; both sides lay out the memory by it.

    prompt_bytes: of the features of a frame. face_px: side of a face, three bytes a pixel.
    """

    prompt_bytes: int
    face_px: int

    @property
    def face_bytes(self) -> int:
        return self.face_px * self.face_px * 3


class SharedSlots:
    """The memory of one client: views of its slots. Unmapped when the last view is gone."""

    def __init__(self, descriptor: int, shapes: Shapes) -> None:
        """Map the memory that `make_memory` made; the descriptor stays the caller's."""
        self._sizes = _slot_bytes(shapes)
        self._all = np.frombuffer(mmap.mmap(descriptor, sum(_parts(shapes))), np.uint8)
        self._shapes = shapes

    def prompt(self, slot: int) -> Bytes:
        """What the mouth of PAINT slot `slot` follows."""
        return self._part(slot, 0, self._shapes.prompt_bytes)

    def face(self, slot: int) -> Bytes:
        """(size, size, 3) BGR: where the face of a PAINT slot is put."""
        side = self._shapes.face_px
        return self._part(slot, self._shapes.prompt_bytes, self._shapes.face_bytes).reshape(
            side, side, 3
        )

    def sound(self, slot: int, samples: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The sound of HEAR slot `slot`."""
        return self._part(slot, 0, samples * 4).view(np.float32)

    def features(self, slot: int, frames: int) -> Bytes:
        """(frames, prompt_bytes): where the features of a HEAR slot are put."""
        size = self._shapes.prompt_bytes
        return self._part(slot, SOUND_BYTES, frames * size).reshape(frames, size)

    def _part(self, slot: int, offset: int, size: int) -> Bytes:
        paint, hear = self._sizes
        hears = max(0, slot - PAINT_SLOTS)
        begin = min(slot, PAINT_SLOTS) * paint + hears * hear + offset
        return self._all[begin : begin + size]


def is_hear_slot(slot: int) -> bool:
    return PAINT_SLOTS <= slot < PAINT_SLOTS + HEAR_SLOTS


def make_memory(shapes: Shapes) -> int:
    """Memory for one client, in no folder: gone with its last user. Returns its descriptor.

    It is sealed, so that no client can shrink it under the server, which would end it by SIGBUS.
    """
    descriptor = os.memfd_create("livestudio-faces", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, sum(_parts(shapes)))
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address to bind or connect to for `path`, which may be longer than an address can be."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def new_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _records(form: struct.Struct, raw: bytes) -> Iterator[tuple[Any, ...]]:
    if len(raw) % form.size or not 0 < len(raw) <= MAX_RECORDS * form.size:
        raise WireError(f"a message of {len(raw)} bytes is not 1 to {MAX_RECORDS} records")
    return form.iter_unpack(raw)


def _slot_bytes(shapes: Shapes) -> tuple[int, int]:
    """Of a PAINT and of a HEAR slot, in whole pages: an unused one takes no memory."""
    paint = shapes.prompt_bytes + shapes.face_bytes
    hear = SOUND_BYTES + STEP_FRAMES_MAX * shapes.prompt_bytes
    return -(-paint // _PAGE) * _PAGE, -(-hear // _PAGE) * _PAGE


def _parts(shapes: Shapes) -> tuple[int, int]:
    paint, hear = _slot_bytes(shapes)
    return paint * PAINT_SLOTS, hear * HEAR_SLOTS
