"""Events of a broadcast, numbered and kept in the run folder until the web side has stored them.

Durability: each event is one `write` at the end of the file, so a killed runner loses nothing that
was appended (the pages are the kernel's). Nothing is synced to the disk while on air: only the loss
of the whole machine can lose events, and with it the runner that would have replayed them is gone.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from inference.protocol import KEPT_EVENTS, Event, Json, check_event, decode, encode

logger = logging.getLogger(__name__)

CAP_BYTES: Final = 64 * 1024 * 1024
COMPACT_BYTES: Final = 1024 * 1024
BATCH_EVENTS: Final = 200
BATCH_BYTES: Final = 256 * 1024
UNWRITTEN_EVENTS: Final = 10_000
_FILE: Final = "outbox.jsonl"


class OutboxBusyError(Exception):
    """Another runner process still holds this run folder."""


class Outbox:
    """Append-only event file of one broadcast. `append` may be called from any thread.

    Capacity: `cap_bytes`; above it kinds outside KEPT_EVENTS are dropped before they get a number
    (counted in `dropped`). On a full disk kept events wait in memory, at most UNWRITTEN_EVENTS.
    """

    def __init__(self, folder: Path, *, cap_bytes: int = CAP_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._cap_bytes = cap_bytes
        self._lock = threading.Lock()
        self._held = _hold(folder / "outbox.lock")
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._unwritten: deque[tuple[int, bytes]] = deque()
        self._on_append: Callable[[], None] | None = None
        self.dropped = 0
        self.acknowledged = 0
        self._size = 0
        self._offset = 0  # of the first event that is not acknowledged
        self.last_sequence = 0
        self._recover()

    def notify(self, callback: Callable[[], None] | None) -> None:
        """Call back, from the appending thread, after each append."""
        self._on_append = callback

    def append(self, kind: str, data: Json) -> int | None:
        """Number and keep an event; None when it was dropped at the cap. Raises ProtocolError."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            event = Event(self.last_sequence + 1, kind, at, data)
            check_event(event)
            if not self._has_room(kind):
                self.dropped += 1
                return None
            line = _line(encode(event))
            self.last_sequence = event.sequence
            self._unwritten.append((event.sequence, line))
            self._write_waiting()
        if self._on_append is not None:
            self._on_append()
        return event.sequence

    def start_after(self, acknowledged: int) -> None:
        """What the web side has stored, as `welcome` says; numbering goes on behind it."""
        with self._lock:
            self.last_sequence = max(self.last_sequence, acknowledged)
        self.acknowledge(acknowledged)

    def waiting(self) -> tuple[Event, ...]:
        """The oldest events not yet acknowledged, at most one batch."""
        with self._lock:
            self._write_waiting()
            raw = os.pread(self._fd, BATCH_BYTES, self._offset)
            lines = raw.splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):
                lines[-1:] = [] if len(lines) > 1 else [self._long_line()]
            if self._offset + len(raw) >= self._size:
                lines.extend(line for _, line in self._unwritten)
        events = (_parse(line) for line in lines[:BATCH_EVENTS])
        return tuple(event for event in events if event is not None)

    def newest(self) -> dict[str, Event]:
        """The last event of each kind that is not acknowledged: where a dead runner stood."""
        with self._lock:
            self._write_waiting()
            raw = os.pread(self._fd, max(self._size - self._offset, 0), self._offset)
        events = (_parse(line) for line in raw.splitlines(keepends=True))
        return {event.kind: event for event in events if event is not None}

    def acknowledge(self, sequence: int) -> None:
        """Forget events up to and including `sequence`."""
        with self._lock:
            if sequence <= self.acknowledged:
                return
            self.acknowledged = sequence
            while self._unwritten and self._unwritten[0][0] <= sequence:
                self._unwritten.popleft()
            self._offset = self._skip(self._offset, sequence)
            if self._offset > max(COMPACT_BYTES, self._size - self._offset):
                self._compact()

    @property
    def is_empty(self) -> bool:
        """True when everything appended is acknowledged."""
        return self.acknowledged >= self.last_sequence

    def close(self) -> None:
        """Release the file and the run folder."""
        os.close(self._fd)
        os.close(self._held)

    def _has_room(self, kind: str) -> bool:
        if len(self._unwritten) >= UNWRITTEN_EVENTS:
            return False
        return kind in KEPT_EVENTS or self._size - self._offset < self._cap_bytes

    def _write_waiting(self) -> None:
        while self._unwritten:
            line = self._unwritten[0][1]
            try:
                written = os.write(self._fd, line)
            except OSError as error:
                logger.warning("outbox not written", extra={"reason": error.strerror})
                return
            if written < len(line):  # the disk filled up within this line
                os.ftruncate(self._fd, self._size)
                return
            self._size += written
            self._unwritten.popleft()

    def _recover(self) -> None:
        """Find the last whole event; cut off a line torn by a crash."""
        good = 0
        with open(self._path, "rb") as file:
            for line in file:
                record = _load(line)
                if record is None:
                    break
                self.acknowledged = int(record.get("acknowledged", self.acknowledged))
                self.last_sequence = int(record.get("sequence", self.acknowledged))
                good += len(line)
        os.ftruncate(self._fd, good)
        self._size = good
        self._offset = self._skip(0, self.acknowledged)

    def _skip(self, offset: int, sequence: int) -> int:
        """The offset behind the last event numbered up to `sequence`."""
        with open(self._path, "rb") as file:
            file.seek(offset)
            for line in file:
                record = _load(line)
                if record is None or int(record.get("sequence", 0)) > sequence:
                    break
                offset += len(line)
        return offset

    def _compact(self) -> None:
        """Rewrite the file without what is acknowledged; a killed runner leaves the old or the new
        one. On the event loop, so that it must not wait for a slow disk."""
        fresh = self._path.with_suffix(".new")
        try:
            with open(self._path, "rb") as old, open(fresh, "wb") as new:
                old.seek(self._offset)
                header = _line({"acknowledged": self.acknowledged})
                size = new.write(header) + new.write(old.read())
            os.replace(fresh, self._path)
        except OSError as error:
            logger.warning("outbox not compacted", extra={"reason": error.strerror})
            fresh.unlink(missing_ok=True)
            return
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND)
        self._size, self._offset = size, len(header)

    def _long_line(self) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            return file.readline()


def _hold(path: Path) -> int:
    """Lock the run folder for this process. Two runners writing one sequence would mix events."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise OutboxBusyError("another runner still holds this run folder") from error
    return fd


def _line(record: Json) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _load(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _parse(line: bytes) -> Event | None:
    record = _load(line)
    return None if record is None or "sequence" not in record else decode(Event, record)
