"""The processes under `manage.py up`: started, started again with back-off, ended in order."""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BACK_OFF_MAX_SECONDS: Final = 10.0
SETTLED_SECONDS: Final = 30.0
TERM_SECONDS: Final = 10.0


@dataclass(slots=True)
class Child:
    """One supervised process. log: where its output goes, None = with ours."""

    name: str
    command: list[str]
    environment: dict[str, str]
    pass_fds: tuple[int, ...] = ()
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    start_again_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process in a session of its own: Ctrl-C is for the parent alone."""
        output = None
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                pass_fds=self.pass_fds,
                start_new_session=True,
            )
        finally:
            if output is not None:
                os.close(output)
        self.started_at = time.monotonic()

    def supervise(self) -> str | None:
        """Start it again when its pause is over; what to tell when it was found dead."""
        if self.process is None:
            if time.monotonic() >= self.start_again_at:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        self._plan_restart()
        return f"{self.name} ended with status {code}; it is being started again."

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def finish(self, until: float) -> None:
        """Wait for its end until a moment (monotonic), then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _plan_restart(self) -> None:
        now = time.monotonic()
        self.failures = 1 if now - self.started_at > SETTLED_SECONDS else self.failures + 1
        pause_seconds = min(BACK_OFF_MAX_SECONDS, 0.25 * 2**self.failures)
        self.start_again_at = now + pause_seconds * random.uniform(0.5, 1.0)
        self.process = None


def end_all(children: list[Child]) -> None:
    """TERM to all, in order, then KILL to what is left after TERM_SECONDS."""
    for child in children:
        child.terminate()
    until = time.monotonic() + TERM_SECONDS
    for child in children:
        child.finish(until)
