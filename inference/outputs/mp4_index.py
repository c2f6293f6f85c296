"""The end of a recording: one index in place of its thousands of fragments, written in place.

While a show is recorded its MP4 is fragmented, so that a killed recorder loses a second at most and
holds nothing of what it has written. Once it is closed, players want one table of all samples: it
is made from the headers of the fragments and appended, and then the first 16 bytes of the old
`moov` become the header of an `mdat` that reaches up to the new one. No sample is copied. Boxes
and fields are those of ISO/IEC 14496-12; see docs/adr/0056.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

# Flags of tfhd and trun: which optional fields are there.
_BASE_IS_MOOF, _HAS_BASE = 0x020000, 0x01
_TFHD_FIELDS: Final = ((0x02, "description"), (0x08, "duration"), (0x10, "size"), (0x20, "flags"))
_TRUN_COLUMNS: Final = ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset"))
_HAS_DATA_OFFSET, _HAS_FIRST_FLAGS = 0x01, 0x04
_IS_NO_SYNC: Final = 0x00010000
# In one fragment; a second of ours has 47.
_MOST_SAMPLES: Final = 100_000
# A header of version 0 has 32 bits for each time: a day at 48 kHz.
_TIME_LIMIT: Final = 1 << 32


class FragmentError(ValueError):
    """The file is not a fragmented MP4 of the form that our recorder writes."""


@dataclass(frozen=True, slots=True)
class Box:
    """kind: four letters. start, end: offsets in the file or buffer; body: after the header."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(slots=True)
class Track:
    """The samples of one track. Times are in ticks of its own clock.

    starts_at: time of the first sample. durations: runs of [samples, duration]. chunks: (offset in
    the file, samples) of each run of bytes. sync: numbers, from 1, of samples that stand alone.
    """

    starts_at: int | None = None
    end: int = 0
    durations: list[list[int]] = field(default_factory=list)
    chunks: list[tuple[int, int]] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("I"))
    sync: array[int] = field(default_factory=lambda: array("I"))

    @property
    def length(self) -> int:
        return self.end - (self.starts_at or 0)

    def begin_fragment(self, time: int) -> None:
        """The next samples begin here: the sample before lasts until then. Raises FragmentError."""
        if self.starts_at is None:
            self.starts_at = self.end = time
        elif time != self.end:
            last = self._take_last() + time - self.end
            if last < 0:
                raise FragmentError("the times of a track run backwards")
            self._append(1, last)
            self.end = time

    def extend(self, durations: array[int]) -> None:
        for duration in durations:
            self._append(1, duration)
        self.end += sum(durations)

    def _append(self, samples: int, duration: int) -> None:
        if self.durations and self.durations[-1][1] == duration:
            self.durations[-1][0] += samples
        else:
            self.durations.append([samples, duration])

    def _take_last(self) -> int:
        run = self.durations[-1]
        run[0] -= 1
        if not run[0]:
            self.durations.pop()
        return run[1]


def write_index(path: Path) -> None:
    """Make a plain MP4 of a closed, fragmented one; what is cut off at its end is left out.

    Raises FragmentError, OSError; the file is as it was then, and plays as fragments.
    """
    with path.open("r+b", buffering=0) as file:
        boxes = list(_boxes_of_file(file))
        old = next((box for box in boxes if box.kind == b"moov"), None)
        if old is None or not any(box.kind == b"moof" for box in boxes):
            raise FragmentError(f"{path.name} has no fragments")
        index = _new_index(file, boxes, old)
        end = file.seek(0, os.SEEK_END)
        try:
            # The old index is given up only once the new one is on the disk.
            _write(file, index, end)
        except OSError:
            file.truncate(end)
            raise
        _write(file, struct.pack(">I4sQ", 1, b"mdat", end - old.start), old.start)


def _write(file: FileIO, data: bytes, at: int) -> None:
    """All of it, and on the disk. Raises OSError."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file.fileno(), left, at)
        left, at = left[written:], at + written
    os.fdatasync(file.fileno())


def _new_index(file: FileIO, boxes: list[Box], old: Box) -> bytes:
    try:
        return index_of(_read(file, old), _tracks(file, boxes))
    except (KeyError, IndexError, OverflowError, StopIteration, struct.error) as error:
        raise FragmentError(f"a header of {Path(file.name).name} cannot be read") from error


def _boxes_of_file(file: FileIO) -> Iterator[Box]:
    """The boxes that are whole: a recorder that was killed may have left a piece of one."""
    end, start = file.seek(0, os.SEEK_END), 0
    while start + 8 <= end:
        file.seek(start)
        box = _box_at(file.read(16), 0, end - start)
        if box is None:
            return
        yield Box(box.kind, start, start + box.body, start + box.end)
        start += box.end


def _boxes(data: bytes, start: int = 0) -> Iterator[Box]:
    while start + 8 <= len(data):
        box = _box_at(data, start, len(data))
        if box is None:
            raise FragmentError("a box is larger than what holds it")
        yield box
        start = box.end


def _box_at(data: bytes, start: int, limit: int) -> Box | None:
    size, kind = struct.unpack_from(">I4s", data, start)
    body = start + 8
    if size == 1 and len(data) >= start + 16:
        (size,) = struct.unpack_from(">Q", data, body)
        body += 8
    end = start + size
    return Box(kind, start, body, end) if body <= end <= limit else None


def _read(file: FileIO, box: Box) -> bytes:
    file.seek(box.body)
    return file.read(box.end - box.body)


def _tracks(file: FileIO, boxes: list[Box]) -> dict[int, Track]:
    """By number. A fragment counts once its `mdat`, which follows it, is whole."""
    tracks: dict[int, Track] = {}
    for fragment, data in zip(boxes, boxes[1:], strict=False):
        if fragment.kind == b"moof" and data.kind == b"mdat":
            content = _read(file, fragment)
            for box in _boxes(content):
                if box.kind == b"traf":
                    _add_fragment(tracks, content[box.body : box.end], fragment.start)
    return tracks


def _add_fragment(tracks: dict[int, Track], content: bytes, moof: int) -> None:
    parts = _parts(content)
    number, defaults = _defaults(parts[b"tfhd"])
    track = tracks.setdefault(number, Track())
    track.begin_fragment(_time(parts[b"tfdt"]))
    _add_run(track, parts[b"trun"], defaults, moof)


def _parts(content: bytes) -> dict[bytes, bytes]:
    """The contents of the boxes in a box, by kind. Raises FragmentError for two of one kind."""
    parts: dict[bytes, bytes] = {}
    for box in _boxes(content):
        if box.kind in parts:
            raise FragmentError(f"two boxes {box.kind.decode('latin-1')!r} where one is expected")
        parts[box.kind] = content[box.body : box.end]
    return parts


def _defaults(tfhd: bytes) -> tuple[int, dict[str, int]]:
    """(number of the track, values of samples that state none)."""
    flags, number = struct.unpack_from(">II", tfhd)
    if flags & _HAS_BASE or not flags & _BASE_IS_MOOF:
        raise FragmentError("the offsets of a fragment do not count from its beginning")
    names = [name for bit, name in _TFHD_FIELDS if flags & bit]
    return number, dict(zip(names, struct.unpack_from(f">{len(names)}I", tfhd, 8), strict=True))


def _time(tfdt: bytes) -> int:
    time: int = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)[0]
    return time


def _add_run(track: Track, trun: bytes, defaults: dict[str, int], moof: int) -> None:
    flags, count, offset = struct.unpack_from(">IIi", trun)
    if not flags & _HAS_DATA_OFFSET or not 0 < count <= _MOST_SAMPLES:
        raise FragmentError("a run of samples does not say where its bytes are")
    columns, start = _columns(trun, flags, count), 16 if flags & _HAS_FIRST_FLAGS else 12
    if any(columns.get("offset", ())):
        raise FragmentError("pictures are not in the order in which they are shown")
    kinds = columns.get("flags") or array("I", [defaults.get("flags", 0)]) * count
    if start == 16:
        (kinds[0],) = struct.unpack_from(">I", trun, 12)
    before = len(track.sizes)
    track.sync.extend(before + at for at, kind in enumerate(kinds, 1) if not kind & _IS_NO_SYNC)
    track.extend(columns.get("duration") or array("I", [defaults["duration"]]) * count)
    track.sizes.extend(columns.get("size") or array("I", [defaults["size"]]) * count)
    track.chunks.append((moof + offset, count))


def _columns(trun: bytes, flags: int, count: int) -> dict[str, array[int]]:
    """The fields that each sample has, by name."""
    names = [name for bit, name in _TRUN_COLUMNS if flags & bit]
    start = 16 if flags & _HAS_FIRST_FLAGS else 12
    rows = trun[start : start + 4 * count * len(names)]
    if len(rows) < 4 * count * len(names):
        raise FragmentError("a run of samples ends before its last one")
    values = _numbers(rows)
    return {name: values[at :: len(names)] for at, name in enumerate(names)}


def _numbers(data: bytes) -> array[int]:
    """32-bit numbers, big end first; the same both ways."""
    values = array("I", data)
    if sys.byteorder == "little":
        values.byteswap()
    return values


def index_of(old: bytes, tracks: dict[int, Track]) -> bytes:
    """The `moov` of a plain MP4. old: content of the one before the fragments, which says what the
    tracks are. tracks: what is in them, by number. Raises FragmentError, KeyError, struct.error.
    """
    boxes = [(box.kind, old[box.body : box.end]) for box in _boxes(old) if box.kind != b"mvex"]
    movie = next(content for kind, content in boxes if kind == b"mvhd")
    (clock,) = struct.unpack_from(">I", movie, 12)
    parts, length = [], 0
    for kind, content in boxes:
        if kind == b"trak":
            number = _track_number(content)
            content, until = _track(content, tracks.get(number, Track()), clock)
            length = max(length, until)
        parts.append((kind, content))
    parts[[kind for kind, _ in parts].index(b"mvhd")] = (b"mvhd", _with_time(movie, 16, length))
    return _box(b"moov", *(_box(kind, content) for kind, content in parts))


def _track_number(trak: bytes) -> int:
    number: int = struct.unpack_from(">I", _parts(trak)[b"tkhd"], 12)[0]
    return number


def _track(old: bytes, track: Track, movie_clock: int) -> tuple[bytes, int]:
    """(content of its `trak`, when it ends in ticks of the movie)."""
    parts = _parts(old)
    media = _parts(parts[b"mdia"])
    (clock,) = struct.unpack_from(">I", media[b"mdhd"], 12)
    delay = (track.starts_at or 0) * movie_clock // clock
    length = track.length * movie_clock // clock
    info = _parts(media[b"minf"])
    description = _parts(info[b"stbl"])[b"stsd"]
    info[b"stbl"] = b"".join([_box(b"stsd", description), *_tables(track)])
    media[b"minf"] = _joined(info)
    media[b"mdhd"] = _with_time(media[b"mdhd"], 16, track.length)
    header = _with_time(parts[b"tkhd"], 20, delay + length)
    edits = _edits(delay, length) if delay else b""
    return _box(b"tkhd", header) + edits + _box(b"mdia", _joined(media)), delay + length


def _tables(track: Track) -> Iterator[bytes]:
    """The boxes that say when each sample is shown, which stand alone, how large and where."""
    yield _table(b"stts", [number for run in track.durations for number in run], 2)
    if len(track.sync) < len(track.sizes):
        yield _table(b"stss", track.sync, 1)
    yield _table(b"stsc", _samples_in_chunks(track.chunks), 3)
    yield _full_box(b"stsz", struct.pack(">II", 0, len(track.sizes)), _packed(track.sizes))
    offsets = struct.pack(f">{len(track.chunks)}Q", *(offset for offset, _ in track.chunks))
    yield _full_box(b"co64", struct.pack(">I", len(track.chunks)), offsets)


def _samples_in_chunks(chunks: list[tuple[int, int]]) -> list[int]:
    """(first chunk from 1, samples in each, description) of each run of like chunks, flat."""
    rows: list[int] = []
    for number, (_, samples) in enumerate(chunks, 1):
        if not rows or rows[-2] != samples:
            rows += [number, samples, 1]
    return rows


def _edits(delay: int, length: int) -> bytes:
    """A track that begins later than the others: nothing for a while, then all of it."""
    edits = [struct.pack(">Qqi", delay, -1, 1 << 16), struct.pack(">Qqi", length, 0, 1 << 16)]
    return _box(b"edts", _full_box(b"elst", struct.pack(">I", 2), *edits, version=1))


def _with_time(header: bytes, at: int, time: int) -> bytes:
    """A header of version 0 with another duration. Raises FragmentError where it does not fit."""
    if header[0] or time >= _TIME_LIMIT:
        raise FragmentError("a time needs 64 bits")
    return header[:at] + struct.pack(">I", time) + header[at + 4 :]


def _table(kind: bytes, numbers: array[int] | list[int], columns: int) -> bytes:
    rows = struct.pack(">I", len(numbers) // columns)
    return _full_box(kind, rows, _packed(array("I", numbers)))


def _packed(values: array[int]) -> bytes:
    return _numbers(values.tobytes()).tobytes()


def _joined(parts: dict[bytes, bytes]) -> bytes:
    return b"".join(_box(kind, content) for kind, content in parts.items())


def _full_box(kind: bytes, *contents: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *contents)


def _box(kind: bytes, *contents: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, contents)), kind) + b"".join(contents)
