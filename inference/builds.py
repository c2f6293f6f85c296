"""One build of an avatar in a child process: `python -m inference.tool build`."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from inference.background import start_behind
from inference.child_environment import child_environment

ROOT: Final = Path(__file__).resolve().parent.parent
# An hour of a slow processor; a GPU needs a minute.
BUILD_SECONDS: Final = 6 * 3600.0
_CANCEL_SECONDS: Final = 10.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """kind: progress {progress, stage, message} | done {facts} | refused {code, message}."""

    kind: str
    data: Json = field(default_factory=dict)


class BuildJob:
    """A running build. It ends with its stdin: when whoever started it dies, so does the child."""

    def __init__(self, request: Json) -> None:
        self._out = Path(request["out"])
        self._events: queue.Queue[BuildEvent] = queue.Queue()
        self._started_at = time.monotonic()
        self._child = start_behind(
            [sys.executable, "-m", "inference.tool", "build"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            # It works on what strangers sent: whatever that achieves, it finds no secret here.
            env=child_environment("TEST_ENGINES"),
        )
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once: its last words are read
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        self._reader = threading.Thread(target=self._read, name="build", daemon=True)
        self._reader.start()

    def poll(self) -> list[BuildEvent]:
        """What has happened since the last call; the last event of a job is done or refused."""
        if time.monotonic() - self._started_at > BUILD_SECONDS:
            self.reap()
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def cancel(self) -> None:
        """End it now, and leave nothing of it behind, even if it was done a moment ago."""
        self.reap()
        shutil.rmtree(self._out, ignore_errors=True)

    def reap(self) -> None:
        """End the child, and clear up behind one that was killed; what is done stays."""
        self.let_go()
        for leftover in self._out.parent.glob(f".{self._out.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def let_go(self) -> None:
        """End the child alone: another one builds the same."""
        child = self._child
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        try:
            child.wait(_CANCEL_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._reader.join(_CANCEL_SECONDS)

    def _read(self) -> None:
        child = self._child
        assert child.stdout is not None
        assert child.stderr is not None
        # Only the last line counts, however many a library of the engine writes.
        words: deque[bytes] = deque(maxlen=1)
        listener = threading.Thread(target=lambda: words.extend(child.stderr or ()), daemon=True)
        listener.start()
        is_done = False
        for line in child.stdout:
            if event := _event_of(line):
                is_done = is_done or event.kind == "done"
                self._events.put(event)
        child.wait()
        listener.join(_CANCEL_SECONDS)
        if not is_done:
            self._events.put(BuildEvent("refused", _last_words(words)))
        child.stdout.close()
        child.stderr.close()


def _event_of(line: bytes) -> BuildEvent | None:
    """What a line of the child says; None for one that a library wrote among them."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"done": dict() as facts}:
            return BuildEvent("done", facts)
        case {"stage": str(), "progress": int() | float()}:
            return BuildEvent("progress", said)
    return None


def _last_words(lines: deque[bytes]) -> Json:
    try:
        said: Json = json.loads(lines[-1])
        return {"code": str(said["code"]), "message": str(said["message"])}
    except (IndexError, ValueError, KeyError, TypeError, RecursionError):
        return {"code": "build_failed", "message": "The builder broke down; see the server's log."}
