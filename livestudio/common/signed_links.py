"""Signed addresses: an <img>, <video> or download link cannot send a token.

The address of a picture or file holds a signature that members get with the row it belongs to.
"""

from __future__ import annotations

import time
from typing import Final, Literal
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

Kind = Literal["thumbnail", "recording", "picture", "export", "consent", "avatar-build"]

# The address stays the same for this long, so that a page need not load a picture anew.
_PERIOD_SECONDS: Final = 12 * 3600


def signature_of(kind: Kind, row_id: UUID) -> str:
    """Good for 12 to 24 hours, for this row only."""
    return _sign(kind, row_id, current_period())


def current_period() -> int:
    """Signatures made within the same period are the same."""
    return int(time.time()) // _PERIOD_SECONDS


def is_signed(kind: Kind, row_id: UUID, signature: str) -> bool:
    """Whether the signature was made for this row within the last period or this."""
    period = current_period()
    expected = (_sign(kind, row_id, period), _sign(kind, row_id, period - 1))
    return any(constant_time_compare(signature, item) for item in expected)


def _sign(kind: Kind, row_id: UUID, period: int) -> str:
    text = f"{kind}:{row_id}:{period}"
    return salted_hmac("streams.links", text, algorithm="sha256").hexdigest()[:32]
