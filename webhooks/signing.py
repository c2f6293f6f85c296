"""Secrets and signatures of the Standard Webhooks specification, version 1.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

SECRET_BYTES: Final = 32  # the specification asks for 24 to 64
_MARK: Final = "whsec_"


def new_secret() -> str:
    """`whsec_` and random bytes in base64, as libraries of receivers take it."""
    return _MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_of(message_id: str, timestamp: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The three headers. keys: each signs, so that a receiver may know either of two.

    timestamp: of this attempt, in seconds since 1970.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(key, content) for key in keys),
    }


def _signature(key: str, content: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(_MARK))
    digest = hmac.new(raw, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
