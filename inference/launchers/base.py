"""What a launcher does: start, poll and stop one runner process. It never restarts one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Handle = dict[str, Any]


class LaunchError(Exception):
    """The process could not be started; the text says why."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """One launch. token: of this broadcast and lease epoch; web_url: where the runner dials in."""

    broadcast: str
    lease_epoch: int
    token: str = field(repr=False)
    web_url: str
    run_folder: str


@dataclass(frozen=True, slots=True)
class Poll:
    """unknown: this launcher cannot see the process from here, so it must not be judged."""

    status: Literal["alive", "dead", "unknown"]
    reason: str = ""


class Launcher(Protocol):
    """Starts runner processes somewhere."""

    name: str

    def prepare(self) -> None:
        """Make the next start quicker, if that is possible; called about once a second."""

    def start(self, request: LaunchRequest, record: Callable[[Handle], None]) -> Handle:
        """Start a runner. Raises LaunchError.

        `record` is called with the handle before the process is given its token: a launcher that
        dies in between leaves a process that ends by itself, never one that nobody knows.
        """

    def poll(self, handle: Handle) -> Poll:
        """Whether the process lives."""

    def stop(self, handle: Handle, *, is_forced: bool) -> None:
        """Ask the process to drain and exit, or end it at once. Does not wait."""

    def close(self) -> None:
        """Release what `prepare` keeps; runners are not touched."""
