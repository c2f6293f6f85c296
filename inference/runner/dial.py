"""Dialling the web side: the address, the frames, and what can go wrong."""

from __future__ import annotations

import json
import logging
import random
from typing import Any, Final

import aiohttp

from inference.protocol import (
    CLOSE_BAD_TOKEN,
    CLOSE_NOT_FOUND,
    CLOSE_STALE_RUNNER,
    ProtocolError,
    decode_message,
    encode_message,
)

logger = logging.getLogger(__name__)

RECONNECT_MIN_SECONDS: Final = 0.1
RECONNECT_MAX_SECONDS: Final = 2.0
LINK_PATH: Final = "/ws/v1/runner"
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class StaleRunnerError(Exception):
    """The web side does not want this runner any more: a newer one exists or the token is void."""


class TokenRefusedError(StaleRunnerError):
    """The web side does not know this run token; at the first dial that is the end."""


class LinkUnreachableError(Exception):
    """The web side did not answer for the whole time allowed."""


class LinkLostError(Exception):
    """The websocket ended."""


DIAL_ERRORS: Final = (
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    ProtocolError,
    LinkLostError,
)


class Delays:
    """Jittered reconnect delays of 0.1 to 2 s, so that a thousand runners do not dial at once."""

    def __init__(self) -> None:
        self._ceiling_seconds = 2 * RECONNECT_MIN_SECONDS

    def next(self) -> float:
        """Seconds to wait before the next dial."""
        seconds = random.uniform(RECONNECT_MIN_SECONDS, self._ceiling_seconds)
        self._ceiling_seconds = min(RECONNECT_MAX_SECONDS, 2 * self._ceiling_seconds)
        return seconds


def websocket_url(url: str) -> str:
    """The runner link's address, given it or the site's base address. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES or not rest:
        raise ValueError("the web address must start with http://, https://, ws:// or wss://")
    return f"{_SCHEMES[scheme]}://{rest.rstrip('/').removesuffix(LINK_PATH)}{LINK_PATH}/"


def write_text(message: Any) -> str:
    """The websocket text of a link message."""
    return json.dumps(encode_message(message), ensure_ascii=False, separators=(",", ":"))


def read_frame(raw: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The message in a websocket frame. Raises StaleRunnerError, LinkLostError, ProtocolError."""
    if raw.type is aiohttp.WSMsgType.TEXT:
        try:
            return decode_message(json.loads(raw.data))
        except ValueError as error:
            raise ProtocolError(str(error)) from error
    if socket.close_code == CLOSE_STALE_RUNNER:
        raise StaleRunnerError("a newer runner has taken over this broadcast")
    if socket.close_code == CLOSE_BAD_TOKEN:
        raise TokenRefusedError("the run token is not valid any more")
    if socket.close_code == CLOSE_NOT_FOUND:
        raise StaleRunnerError("the broadcast does not exist any more")
    raise LinkLostError(f"closed with {socket.close_code}")


def log_lost(broadcast: str, error: Exception) -> None:
    """Say that the link is down, without its address."""
    # Only the type: the text of client errors holds the address.
    reason = str(error) if isinstance(error, LinkLostError) else type(error).__name__
    logger.info("link is down", extra={"broadcast_id": broadcast, "reason": reason})
