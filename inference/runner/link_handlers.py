"""What a session brings to its link: one function for each kind of message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference.protocol import Command, Json, RunnerSpec, Signal


class CommandRefused(Exception):  # noqa: N818 - an answer to the operator, not a fault
    """A command cannot be carried out now. code: snake_case; message: words for the operator."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def _no_signal(signal: Signal) -> None:
    """Signals are not wanted."""


@dataclass(frozen=True, slots=True)
class LinkHandlers:
    """What the session does with what arrives; all are called on the event loop.

    on_command: returns the result's data or raises CommandRefused; commands run one at a time, in
    order. on_stale: stop outputs and exit. on_spec: the spec as it is now, after each new dial and
    now and then; credentials in it are fresh. metrics, workers: read for each heartbeat.
    """

    on_command: Callable[[Command], Awaitable[Json | None]]
    on_stale: Callable[[str], None]
    on_signal: Callable[[Signal], Awaitable[None]] = _no_signal
    on_spec: Callable[[RunnerSpec], None] = lambda spec: None
    on_thumbnail_wanted: Callable[[float], None] = lambda seconds: None
    metrics: Callable[[], Json] = dict
    workers: Callable[[], tuple[Json, ...]] = tuple
