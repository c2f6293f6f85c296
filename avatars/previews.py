"""The picture of an avatar: drawn once by its engine, reached by a signed address.

An <img> cannot send a token, so the address carries a signature that is good for some hours.
"""

from __future__ import annotations

import time
from typing import Final

from django.conf import settings
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from avatars.errors import AvatarPreviewUnavailableError
from avatars.models import Avatar
from inference.tool_client import ToolError, run_tool

# The address stays the same for this long, so that browsers can keep the picture.
_PERIOD_SECONDS: Final = 12 * 3600


def preview_signature(avatar: Avatar) -> str:
    """Good for 12 to 24 hours."""
    return _sign(avatar, int(time.time()) // _PERIOD_SECONDS)


def preview_url(avatar: Avatar) -> str:
    """The signed path of the picture."""
    path = reverse("avatar-preview", args=[avatar.pk])
    return f"{path}?signature={preview_signature(avatar)}"


def is_signed(avatar: Avatar, signature: str) -> bool:
    period = int(time.time()) // _PERIOD_SECONDS
    expected = (_sign(avatar, period), _sign(avatar, period - 1))
    return any(constant_time_compare(signature, item) for item in expected)


def read_preview(avatar: Avatar) -> bytes:
    """PNG. Draws it the first time. Raises AvatarPreviewUnavailableError (503)."""
    name = avatar.preview.name
    if not name or not avatar.preview.storage.exists(name):
        draw_preview(avatar)
    with avatar.preview.open("rb") as file:
        return bytes(file.read())


def draw_preview(avatar: Avatar) -> None:
    """Let the engine draw the presenter and keep the picture. Raises the 503 above."""
    settings.CACHE_DIR.mkdir(parents=True, exist_ok=True)
    request = {
        "engine": avatar.engine,
        "settings": avatar.settings,
        "cache_folder": str(settings.CACHE_DIR),
    }
    try:
        png = run_tool("avatar-preview", request, timeout_seconds=60)
    except ToolError as error:
        raise AvatarPreviewUnavailableError(error.message) from error
    avatar.preview.save(f"{avatar.pk}.png", ContentFile(png), save=False)
    Avatar.objects.filter(pk=avatar.pk).update(preview=avatar.preview.name)


def drop_preview(avatar: Avatar) -> None:
    """The picture is outdated; the next reader gets a new one."""
    if avatar.preview:
        avatar.preview.delete(save=False)


def _sign(avatar: Avatar, period: int) -> str:
    text = f"{avatar.pk}:{period}"
    return salted_hmac("avatars.preview", text, algorithm="sha256").hexdigest()[:32]
