"""The MySQL backend of Django with a bound on how often a connection is pinged.

Before the first query of each request Django asks the server whether the connection still lives.
That is one more wait for the server in every request, as long as the token check itself.
"""

from __future__ import annotations

import time
from typing import Final

from django.db.backends.mysql import base

# A server that was restarted is found out by then; it needs longer to start.
LOOK_SECONDS: Final = 2.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection; CONN_HEALTH_CHECKS look at it once in LOOK_SECONDS."""

    health_check_done: bool
    _now = staticmethod(time.monotonic)
    _looked_at = -LOOK_SECONDS

    def connect(self) -> None:
        super().connect()
        self._looked_at = self._now()

    def close_if_health_check_failed(self) -> None:
        if self.health_check_done:
            return
        if self._now() - self._looked_at < LOOK_SECONDS:
            # Not later in this request either, when a transaction may be open.
            self.health_check_done = True
            return
        super().close_if_health_check_failed()
        self._looked_at = self._now()
