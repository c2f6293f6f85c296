"""Thumbnails: newest wins, kept in the shared cache, made only while somebody looks."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.core.cache import cache

from streams.models import Broadcast
from streams.poke import poke_thumbnail

THUMBNAIL_MAX_BYTES: Final = 20_000
KEPT_SECONDS: Final = 30
LOOK_SECONDS: Final = 10.0


def keep_thumbnail(broadcast_id: UUID | str, jpeg: bytes) -> bool:
    """Store the newest picture; False when it is too large or no JPEG."""
    if len(jpeg) > THUMBNAIL_MAX_BYTES or not jpeg.startswith(b"\xff\xd8"):
        return False
    cache.set(_key(broadcast_id), jpeg, KEPT_SECONDS)
    return True


def look_at_thumbnail(broadcast: Broadcast) -> bytes | None:
    """The newest picture, if one is there yet; the runner is told that somebody looks."""
    if not broadcast.is_over:
        poke_thumbnail(broadcast.pk, seconds=LOOK_SECONDS)
    jpeg: bytes | None = cache.get(_key(broadcast.pk))
    return jpeg


def _key(broadcast_id: UUID | str) -> str:
    return f"thumbnail:{broadcast_id}"
