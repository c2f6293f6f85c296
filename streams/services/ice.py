"""The ICE servers that viewers and runners use, with time-limited credentials where we mint them.

An entry of ICE_SERVERS with a `secret` names a TURN server that shares it with us: everybody gets
an own user name and password, good for some hours (draft-uberti-behave-turn-rest).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Final

from django.conf import settings

from inference.protocol import IceSpec, Json

VIEWER_SECONDS: Final = 12 * 3600
RUNNER_SECONDS: Final = 7 * 24 * 3600
# Loopback first: viewers on this machine then need no other interface.
_EMBEDDED_ADDRESSES: Final = ("127.0.0.1", "machine")


def ice_servers(name: str, *, seconds: int = VIEWER_SECONDS) -> tuple[Json, ...]:
    """ICE servers as browsers take them, for somebody called `name`; never a shared secret."""
    return tuple(_with_credentials(server, name, seconds) for server in settings.ICE_SERVERS)


def ice_spec(broadcast: str) -> IceSpec:
    """How viewers reach the runner of a broadcast, from the settings."""
    addresses = tuple(settings.ICE_HOST_ADDRESSES)
    if not addresses and not settings.IS_PRODUCTION:
        addresses = _EMBEDDED_ADDRESSES
    return IceSpec(
        servers=ice_servers(broadcast, seconds=RUNNER_SECONDS),
        host_addresses=addresses,
        udp_ports=settings.ICE_UDP_PORTS,
        public_address=settings.ICE_PUBLIC_ADDRESS,
    )


def _with_credentials(server: Json, name: str, seconds: int) -> Json:
    urls = server["urls"]
    server = {**server, "urls": [urls] if isinstance(urls, str) else list(urls)}
    if "secret" not in server:
        return server
    username = f"{int(time.time()) + seconds}:{name}"
    digest = hmac.digest(str(server["secret"]).encode(), username.encode(), hashlib.sha1)
    kept = {key: value for key, value in server.items() if key != "secret"}
    return {**kept, "username": username, "credential": base64.b64encode(digest).decode()}
