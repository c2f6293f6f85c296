"""Waiting for sockets for less than a millisecond."""

from __future__ import annotations

import select
import selectors
from typing import Final

_EPOLL_SECONDS: Final = 0.001


class FineSelector(selectors.EpollSelector):
    """A selector whose short timeouts are kept: epoll alone rounds them up to milliseconds."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As that of `selectors`."""
        if timeout is None or not 0 < timeout < _EPOLL_SECONDS:
            return super().select(timeout)
        # What waits for many can be waited for itself, and select counts microseconds.
        select.select([self], [], [], timeout)
        return super().select(0)
