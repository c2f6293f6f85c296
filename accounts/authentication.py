"""Who sends this request: `Authorization: Bearer`, checked against its device session."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import tokens
from accounts.models import DeviceSession, User
from accounts.services.sessions import check_session

DEVICE_HEADER = "X-Device-Id"
DEVICE_COOKIE = "livestudio_device"
REFRESH_COOKIE = "livestudio_refresh"


class DeviceTokenAuthentication(BaseAuthentication):
    """`request.user` is the user, `request.auth` the DeviceSession."""

    def authenticate(self, request: Request) -> tuple[User, DeviceSession] | None:
        """None without a token. Raises the 401 errors of `accounts.errors`."""
        scheme, _, raw = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        session = check_session(tokens.read_access(raw.strip()), device_id_of(request))
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def device_id_of(request: Request) -> str | None:
    """The device id that the client sent: header first, then the browser's cookie."""
    return request.headers.get(DEVICE_HEADER) or request.COOKIES.get(DEVICE_COOKIE) or None
