"""Run one tool of `inference.tool` in a child process; the web side's way to media work."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from inference.child_environment import child_environment

Json = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parent.parent
ANSWER_MAX_BYTES: Final = 32 * 1024 * 1024
# Each child loads an engine: more at a time would take the processor from the shows on air.
CHILDREN_AT_A_TIME: Final = 2
_WAIT_FOR_A_CHILD_SECONDS: Final = 5.0
_slots = threading.BoundedSemaphore(CHILDREN_AT_A_TIME)


class ToolError(Exception):
    """The tool refused or failed, in words a host understands. code: stable snake_case."""

    def __init__(self, code: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


def run_tool(name: str, request: Json, *, timeout_seconds: float = 20.0) -> bytes:
    """The tool's answer. Raises ToolError; `busy` when others are running."""
    if not _slots.acquire(timeout=_WAIT_FOR_A_CHILD_SECONDS):
        raise ToolError("busy", "Other previews are being made. Try again soon.", retryable=True)
    try:
        return _run(name, request, timeout_seconds)
    finally:
        _slots.release()


def _run(name: str, request: Json, timeout_seconds: float) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "inference.tool", name],
            input=json.dumps(request).encode(),
            capture_output=True,
            cwd=ROOT,
            # A tool decodes what strangers sent: whatever that achieves, it finds no secret here.
            env=child_environment("TEST_ENGINES"),
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"This took longer than {timeout_seconds:.0f} seconds."
        raise ToolError("timed_out", message, retryable=True) from error
    if done.returncode != 0:
        raise _refusal(done.stderr)
    if len(done.stdout) > ANSWER_MAX_BYTES:
        raise ToolError("too_large", "The answer of the engine is too large.", retryable=False)
    return done.stdout


def _refusal(stderr: bytes) -> ToolError:
    lines = stderr.decode(errors="replace").strip().splitlines()
    try:
        said = json.loads(lines[-1])
        return ToolError(said["code"], said["message"], retryable=bool(said["retryable"]))
    except (IndexError, ValueError, KeyError, TypeError):
        return ToolError("tool_failed", "The engine broke down.", retryable=True)
