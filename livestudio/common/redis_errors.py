"""What Redis' client raises, without loading it: that is a tenth of the start of each process.

Whoever raises these has loaded it; a site without Redis never does.
"""

from __future__ import annotations

import sys


def is_redis_error(error: Exception) -> bool:
    """Whether Redis, or the way to it, fails."""
    return _is_one_of(error, "RedisError")


def is_redis_down(error: Exception) -> bool:
    """Whether Redis does not answer."""
    return _is_one_of(error, "ConnectionError", "TimeoutError")


def _is_one_of(error: Exception, *names: str) -> bool:
    loaded = sys.modules.get("redis.exceptions")
    return loaded is not None and isinstance(error, tuple(getattr(loaded, name) for name in names))
