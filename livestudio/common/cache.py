"""Django's cache on Redis, with connections that all requests share."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from django.core.cache.backends.redis import RedisCache

_CLIENTS: Final[dict[tuple[str, ...], Any]] = {}


class SharedRedisCache(RedisCache):
    """Django makes a cache object for each request, and with it a connection to Redis."""

    @cached_property
    def _cache(self) -> Any:
        # Clients are safe to share: each use takes a connection of their pool.
        key = tuple(self._servers)  # type: ignore[attr-defined]  # Django's, without types
        return _CLIENTS.setdefault(key, self._class(self._servers, **self._options))  # type: ignore[attr-defined]
