"""How often an address or a user may ask; more answers 429 with Retry-After.

Counts in windows of a minute: one atomic counter each, whatever the limit. (The framework's own
throttle keeps a list of times, which grows with the limit and loses counts under load.)
REST framework's views load this module while they load: it must not import them.
"""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.cache import cache
from rest_framework.throttling import BaseThrottle

from livestudio.common.log import get_logger
from livestudio.common.networks import network_of
from livestudio.common.redis_errors import is_redis_error

log = get_logger(__name__)
_WINDOW_SECONDS: Final = 60


class WindowThrottle(BaseThrottle):
    """At most REQUESTS_PER_MINUTE[scope] requests in a minute of one user or address."""

    scope: ClassVar[str] = "user"

    def allow_request(self, request: Any, view: Any) -> bool:
        scope, who = self.counted_by(request)
        key = f"throttle:{scope}:{who}:{int(time.time()) // _WINDOW_SECONDS}"
        # A window more than it counts: the key must not end before its window on a slow clock.
        cache.add(key, 0, 2 * _WINDOW_SECONDS)
        return bool(cache.incr(key) <= settings.REQUESTS_PER_MINUTE[scope])

    def get_ident(self, request: Any) -> str:
        """Whom an address counts for: itself, or its network."""
        return network_of(super().get_ident(request) or "")

    def wait(self) -> float:
        """Seconds to the next window."""
        return float(_WINDOW_SECONDS - math.fmod(time.time(), _WINDOW_SECONDS))

    def counted_by(self, request: Any) -> tuple[str, str]:
        """(which limit counts, for whom)."""
        return self.scope, self.get_ident(request)


class UserThrottle(WindowThrottle):
    """By user; who has not signed in, by address. Without Redis nobody is counted: shows go on."""

    def allow_request(self, request: Any, view: Any) -> bool:
        try:
            return super().allow_request(request, view)
        except Exception as error:
            if not is_redis_error(error):
                raise
            log.warning("requests are not counted", reason=str(error))
            return True

    def counted_by(self, request: Any) -> tuple[str, str]:
        user = request.user
        if user and user.is_authenticated:
            return "user", str(user.pk)
        return "anonymous", self.get_ident(request)


class JoinThrottle(UserThrottle):
    """For what lets people watch: by user, and fewer by address for who has not signed in."""

    def counted_by(self, request: Any) -> tuple[str, str]:
        scope, who = super().counted_by(request)
        return ("joining" if scope == "anonymous" else scope), who


class SignInThrottle(WindowThrottle):
    """By address, for the views that check passwords or make accounts."""

    scope = "sign_in"
