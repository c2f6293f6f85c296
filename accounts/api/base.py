"""What the views of sign-in share."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import AllowAny

from accounts.endpoints import Endpoint
from livestudio.common.throttles import SignInThrottle


class PublicEndpoint(Endpoint):
    """A view that is used before sign-in; a stale token must not get in its way."""

    authentication_classes = ()
    permission_classes: Any = (AllowAny,)
    throttle_classes = (SignInThrottle,)
