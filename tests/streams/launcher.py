"""A launcher without processes: the test says which of its runners live."""

from __future__ import annotations

from collections.abc import Callable

from inference.launchers.base import Handle, LaunchError, LaunchRequest, Poll


class PaperLauncher:
    """Keeps what it was asked to start and stop."""

    name = "paper"

    def __init__(self) -> None:
        self.started: list[LaunchRequest] = []
        self.stopped: list[tuple[int, bool]] = []
        self.dead: dict[int, str] = {}
        self.is_broken = False

    def prepare(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to release."""

    def start(self, request: LaunchRequest, record: Callable[[Handle], None]) -> Handle:
        if self.is_broken:
            raise LaunchError("no room")
        self.started.append(request)
        handle = {"pid": len(self.started)}
        record(handle)
        return handle

    def poll(self, handle: Handle) -> Poll:
        reason = self.dead.get(handle["pid"])
        return Poll("alive") if reason is None else Poll("dead", reason)

    def stop(self, handle: Handle, *, is_forced: bool) -> None:
        self.stopped.append((handle["pid"], is_forced))

    def kill_last(self, reason: str = "killed by SIGKILL") -> None:
        """The newest runner dies."""
        self.dead[len(self.started)] = reason
