"""The picture of an avatar: drawn once by its engine, reached by a signed address.

An <img> cannot send a token, so the address carries a signature that is good for some hours.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from avatars.bundles import bundle_folder, current_build, is_filmed
from avatars.errors import AvatarPreviewUnavailableError
from avatars.models import Avatar, AvatarBuild
from inference.tool_client import ToolError, run_tool
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import signature_of
from metering.hooks import FileFound
from metering.services.storage import forget_files, note_file

# The address stays the same for this long, so that browsers can keep the picture.
_PERIOD_SECONDS: Final = 12 * 3600


def preview_signature(avatar: Avatar) -> str:
    """Good for 12 to 24 hours."""
    return _sign(avatar, int(time.time()) // _PERIOD_SECONDS)


def has_picture(avatar: Avatar) -> bool:
    """Whether there is something to draw: of a filmed presenter, a version that is in use."""
    return not is_filmed(avatar) or current_build(avatar) is not None


def preview_url(avatar: Avatar) -> str:
    """The signed path of the picture."""
    path = reverse("avatar-preview", args=[avatar.pk])
    return f"{path}?signature={preview_signature(avatar)}"


def build_preview_url(build: AvatarBuild) -> str:
    """The signed path of a version's preview film."""
    path = reverse("avatar-build-preview", args=[build.avatar_id, build.pk])
    return f"{path}?signature={signature_of('avatar-build', build.pk)}"


def build_preview_path(build: AvatarBuild) -> Path:
    """The preview film of a version. Raises NotFoundError when it is gone."""
    path = bundle_folder(build) / "preview.mp4"
    if not path.is_file():
        raise NotFoundError("The preview of this version is not there any more.")
    return path


def is_signed(avatar: Avatar, signature: str) -> bool:
    period = int(time.time()) // _PERIOD_SECONDS
    expected = (_sign(avatar, period), _sign(avatar, period - 1))
    return any(constant_time_compare(signature, item) for item in expected)


def read_preview(avatar: Avatar) -> bytes:
    """PNG. Draws it the first time. Raises AvatarPreviewUnavailableError (503)."""
    if avatar.preview:
        # Whoever changes the presenter takes the picture away.
        with contextlib.suppress(FileNotFoundError), avatar.preview.open("rb") as file:
            return bytes(file.read())
    return draw_preview(avatar)


def draw_preview(avatar: Avatar) -> bytes:
    """Let the engine draw the presenter and keep the picture. Raises the 503 above."""
    png = _picture_of(avatar)
    as_read = Avatar.objects.filter(
        pk=avatar.pk, preview=avatar.preview.name or "", updated_at=avatar.updated_at
    )
    avatar.preview.save(f"{avatar.pk}.png", ContentFile(png), save=False)
    if as_read.update(preview=avatar.preview.name):
        note_file(avatar.organization_id, "avatar", avatar.pk, len(png))
    else:
        # Changed since, or drawn by another: then this is not the picture of the row.
        avatar.preview.delete(save=False)
    return png


def _picture_of(avatar: Avatar) -> bytes:
    if is_filmed(avatar):
        return _first_picture(avatar)
    settings.CACHE_DIR.mkdir(parents=True, exist_ok=True)
    request = {
        "engine": avatar.engine,
        "settings": avatar.settings,
        "cache_folder": str(settings.CACHE_DIR),
    }
    try:
        return run_tool("avatar-preview", request, timeout_seconds=60)
    except ToolError as error:
        raise AvatarPreviewUnavailableError(error.message) from error


def _first_picture(avatar: Avatar) -> bytes:
    """Of the film that was built."""
    build = current_build(avatar)
    if build is None:
        raise AvatarPreviewUnavailableError("This presenter has not been built yet.")
    try:
        return (bundle_folder(build) / "preview.png").read_bytes()
    except OSError as error:
        raise AvatarPreviewUnavailableError("The built presenter is not on this disk.") from error


def drop_preview(avatar: Avatar) -> None:
    """The picture is outdated; the next reader gets a new one."""
    if avatar.preview:
        avatar.preview.delete(save=False)
        forget_files("avatar", [avatar.pk])


def stored_previews() -> Iterator[FileFound]:
    """Every picture of a presenter that lies on the disk."""
    for avatar in Avatar.objects.exclude(preview="").iterator():
        with contextlib.suppress(OSError):
            size_bytes = avatar.preview.size
            yield FileFound(avatar.organization_id, "avatar", str(avatar.pk), size_bytes)


def _sign(avatar: Avatar, period: int) -> str:
    text = f"{avatar.pk}:{period}"
    return salted_hmac("avatars.preview", text, algorithm="sha256").hexdigest()[:32]
