"""How many may do something slow at once in this process: who comes too many is sent away at once.

A request that waits holds one of few threads. Without a limit, those who wait for something that
does not answer leave none to anybody else.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from livestudio.common.errors import DomainError


class Places:
    """At most `each` of one key, and `total` of all together. Any thread."""

    def __init__(self, *, each: int, total: int) -> None:
        self.each = each
        self.total = total
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def take(self, key: str) -> bool:
        """Whether there is a place; who gets one calls `leave`."""
        with self._lock:
            if self._taken[key] >= self.each or self._all >= self.total:
                return False
            self._taken[key] += 1
            self._all += 1
            return True

    def leave(self, key: str) -> None:
        """Give back a place that `take` gave."""
        with self._lock:
            self._taken[key] -= 1
            self._all -= 1
            if not self._taken[key]:
                del self._taken[key]

    @contextmanager
    def hold(self, key: str, refusal: DomainError) -> Iterator[None]:
        """A place while the block runs. Raises `refusal` when there is none."""
        if not self.take(key):
            raise refusal
        try:
            yield
        finally:
            self.leave(key)
