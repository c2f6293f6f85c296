"""One file of arrays that several processes map at once: the disk cache of baked art.

Layout: 8 bytes magic, u32 header length, header JSON, arrays one after the other at multiples of
64 bytes. The header carries a CRC-32 of the arrays, so that a damaged file is noticed and rebuilt.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_MAGIC: Final = b"LSPACK1\n"
_LENGTH: Final = struct.Struct("<I")
_ALIGNMENT: Final = 64


class PackError(Exception):
    """The file is missing, cut short or altered."""


def write_pack(path: Path, arrays: dict[str, Pixels], facts: dict[str, Any]) -> None:
    """Write uint8 arrays and plain facts to `path` in one atomic step. Raises OSError."""
    blob = bytearray()
    entries = {}
    for name, array in arrays.items():
        blob.extend(b"\0" * (-len(blob) % _ALIGNMENT))
        entries[name] = [len(blob), list(array.shape)]
        blob.extend(np.ascontiguousarray(array).data.cast("B"))
    header = json.dumps({"arrays": entries, "facts": facts, "crc": zlib.crc32(blob)}).encode()
    start = len(_MAGIC) + _LENGTH.size + len(header)
    write_atomically(
        path, [_MAGIC, _LENGTH.pack(len(header)), header, b"\0" * (-start % _ALIGNMENT), blob]
    )


def write_atomically(path: Path, parts: list[bytes | bytearray]) -> None:
    """Make `path` hold the parts; other processes see the old file or all of the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_pack(path: Path) -> tuple[dict[str, Pixels], dict[str, Any]]:
    """The arrays, mapped read-only, and the facts. Raises PackError."""
    try:
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _parse(memory)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise PackError(f"{path}: {error}") from error


def _parse(memory: mmap.mmap) -> tuple[dict[str, Pixels], dict[str, Any]]:
    prefix = len(_MAGIC) + _LENGTH.size
    if memory[: len(_MAGIC)] != _MAGIC:
        raise ValueError("not a pack of baked art")
    header_bytes = _LENGTH.unpack(memory[len(_MAGIC) : prefix])[0]
    header = json.loads(memory[prefix : prefix + header_bytes])
    start = prefix + header_bytes
    start += -start % _ALIGNMENT
    with memoryview(memory) as view, view[start:] as blob:
        if zlib.crc32(blob) != header["crc"]:
            raise ValueError("the checksum of the baked art is wrong")
    arrays = {}
    for name, (offset, shape) in header["arrays"].items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(memory, np.uint8, count, start + offset).reshape(shape)
    return arrays, header["facts"]
