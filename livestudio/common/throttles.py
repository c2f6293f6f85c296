"""How often an address or a user may ask; more answers 429 with Retry-After.

REST framework's views load this module while they load: it must not import them.
"""

from __future__ import annotations

from typing import Any

from rest_framework.throttling import SimpleRateThrottle


class UserThrottle(SimpleRateThrottle):
    """A user's, else an address's, requests a minute. Answers 429 with Retry-After."""

    scope = "user"

    def allow_request(self, request: Any, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            self.rate = self.THROTTLE_RATES["anonymous"]
            self.num_requests, self.duration = self.parse_rate(self.rate)
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Any, view: Any) -> str:
        user = request.user
        ident = user.pk if user and user.is_authenticated else self.get_ident(request)
        return f"throttle:{self.scope}:{ident}"


class SignInThrottle(SimpleRateThrottle):
    """Requests a minute of one address to the views that check passwords or make accounts."""

    scope = "sign_in"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"throttle:{self.scope}:{self.get_ident(request)}"
