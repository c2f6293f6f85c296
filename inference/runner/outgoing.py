"""What waits to leave on the link besides events: bounded, and each kind says what it drops."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

from inference.protocol import Json, Live, Metrics, Result, Signal, Thumbnail

METRICS_PERIOD_SECONDS: Final = 0.2
LIVE_MESSAGES: Final = 16  # per kind; overflow drops the oldest
SIGNALS: Final = 256  # overflow drops the oldest: its viewer has long given up
THUMBNAIL_BYTES: Final = 20_000
# Results need no cap of their own: each belongs to a command, and those are bounded.


class Outgoing:
    """Filled from any thread, emptied by the link's writer. `wake` is called after each change."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._signals: deque[Signal] = deque(maxlen=SIGNALS)
        self._results: dict[str, Result] = {}
        self._live: dict[str, deque[Live]] = {}
        self._metrics: Json | None = None
        self._metrics_due_at = 0.0
        self._thumbnail: Thumbnail | None = None
        self.dropped = {"live": 0, "signals": 0}

    @property
    def is_quiet(self) -> bool:
        """True when no result or signal waits."""
        return not self._results and not self._signals

    def add_signal(self, signal: Signal) -> None:
        with self._lock:
            self.dropped["signals"] += len(self._signals) == SIGNALS
            self._signals.append(signal)
        self._wake()

    def add_result(self, result: Result) -> None:
        with self._lock:
            self._results[result.id] = result
        self._wake()

    def add_live(self, kind: Literal["caption", "viseme"], data: Json) -> None:
        with self._lock:
            queue = self._live.setdefault(kind, deque(maxlen=LIVE_MESSAGES))
            self.dropped["live"] += len(queue) == LIVE_MESSAGES
            queue.append(Live(kind, data))
        self._wake()

    def set_metrics(self, metrics: Json) -> None:
        with self._lock:
            self._metrics = metrics
        self._wake()

    def set_thumbnail(self, jpeg: bytes) -> None:
        if len(jpeg) > THUMBNAIL_BYTES:
            return
        with self._lock:
            self._thumbnail = Thumbnail(base64.b64encode(jpeg).decode())
        self._wake()

    def forget_signals(self) -> None:
        """The link went down: those who asked have their error already."""
        with self._lock:
            self._signals.clear()

    def take(self, now: float) -> list[Any]:
        """All that may leave at `now` (seconds, loop clock), most urgent first."""
        with self._lock:
            messages: list[Any] = [*self._signals, *self._results.values()]
            self._signals.clear()
            self._results.clear()
            for queue in self._live.values():
                messages.extend(queue)
                queue.clear()
            messages.extend(self._take_newest(now))
        return messages

    def pause_seconds(self, now: float) -> float:
        """How long nothing here falls due by itself."""
        return self._metrics_due_at - now if self._metrics is not None else float("inf")

    def _take_newest(self, now: float) -> list[Any]:
        messages: list[Any] = []
        if self._metrics is not None and now >= self._metrics_due_at:
            messages.append(Metrics(self._metrics))
            self._metrics, self._metrics_due_at = None, now + METRICS_PERIOD_SECONDS
        if self._thumbnail is not None:
            messages.append(self._thumbnail)
            self._thumbnail = None
        return messages
