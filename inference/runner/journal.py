"""Which commands this broadcast has executed, and how they ended: no command runs twice.

Kept in the run folder, so that a replacement runner on the same host does not execute again what
the killed one had begun.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import Final

from inference.protocol import Json, ProtocolError, Result, decode, encode

KEPT_COMMANDS: Final = 2000
_FILE: Final = "commands.jsonl"
_LOST: Final[Json] = {
    "code": "runner_restarted",
    "message": "The runner was restarted while it carried out this command.",
}


class CommandJournal:
    """The last KEPT_COMMANDS command ids with their results; older ones are forgotten."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._results: OrderedDict[str, Result | None] = OrderedDict()
        self._load()
        with contextlib.suppress(OSError):
            self._rewrite()
        self._appended = 0

    def has(self, command: str) -> bool:
        """True when this command was begun, here or in a runner before this one."""
        return command in self._results

    def result(self, command: str) -> Result | None:
        """How the command ended; None while it runs."""
        return self._results.get(command)

    def begin(self, command: str) -> None:
        """Note, before it is executed, that this command is executed."""
        self._results[command] = None
        self._append({"id": command})

    def finish(self, result: Result) -> None:
        """Note how the command ended."""
        self._results[result.id] = result
        self._append(encode(result))
        while len(self._results) > KEPT_COMMANDS:
            self._results.popitem(last=False)

    def _load(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().splitlines(keepends=True):
            record = _record(line)
            if record is not None:
                self._results[record.id] = record
        while len(self._results) > KEPT_COMMANDS:
            self._results.popitem(last=False)

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        lines = [_line(encode(result)) for result in self._results.values() if result is not None]
        lines += [_line({"id": key}) for key, result in self._results.items() if result is None]
        fresh.write_bytes(b"".join(lines))
        os.replace(fresh, self._path)

    def _append(self, record: Json) -> None:
        # A full disk must not stop the operator; memory still prevents a second execution.
        with contextlib.suppress(OSError):
            with open(self._path, "ab") as file:
                file.write(_line(record))
            self._appended += 1
            if self._appended > 4 * KEPT_COMMANDS:
                self._rewrite()
                self._appended = 0


def _line(record: Json) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _record(line: bytes) -> Result | None:
    """A line as a result; one that was only begun counts as lost with the runner before."""
    try:
        raw = json.loads(line)
        return decode(Result, raw) if "ok" in raw else Result(raw["id"], ok=False, error=_LOST)
    except (ValueError, KeyError, TypeError, ProtocolError):
        return None
