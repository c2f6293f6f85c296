"""Who sends this request: `Authorization: Bearer` of a device session, or `Api-Key`."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiKey, DeviceSession, User
from accounts.services.api_keys import use_api_key
from accounts.services.sessions import use_access

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
        session = use_access(raw=raw.strip(), device_id=device_id_of(request))
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` is the user of the key, `request.auth` the ApiKey."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """None without a key. Raises ApiKeyInvalidError (401)."""
        scheme, _, raw = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "api-key":
            return None
        key = use_api_key(raw.strip())
        return key.membership.user, key


class IsPerson(BasePermission):
    """For what concerns a person's own sign-in: an API key has none of it."""

    message = "This is for people. An API key cannot do it."

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, DeviceSession)


def device_id_of(request: Request) -> str | None:
    """The device id that the client sent: header first, then the browser's cookie."""
    return request.headers.get(DEVICE_HEADER) or request.COOKIES.get(DEVICE_COOKIE) or None
