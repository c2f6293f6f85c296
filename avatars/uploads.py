"""Uploads of presenters: looked at in a short child before anybody waits for a build."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from inference.catalog import get_engine
from inference.tool_client import ToolError, run_tool
from livestudio.common.errors import InvalidInputError
from livestudio.common.once import once

UPLOAD_MAX_BYTES: Final = 300 * 1024 * 1024
LANDMARKS_MAX_BYTES: Final = 64 * 1024 * 1024
Uploads = Mapping[str, Any]

_TOOL_SECONDS: Final = 30.0
# About the face points; all else is about the film or photo.
_OF_LANDMARKS: Final = frozenset(
    {
        "bad_landmarks",
        "landmarks_of_another_picture",
        "landmarks_too_large",
        "no_landmarks",
    }
)
_OF_SETTINGS: Final = {"bad_avatar_setting": "settings", "bad_option": "options"}


def check_uploads(
    *, engine: str, settings: Mapping[str, Any], uploads: Uploads, is_local: bool = False
) -> None:
    """Raises InvalidInputError for what no build could take, as far as that is known at once.

    is_local: the operator's own file, of any size, whose build they wait for.
    """
    if not is_filmed_engine(engine):
        message = _("Presenters of this engine are not made of uploads.")
        raise InvalidInputError.of("file", message, "not_filmed")
    if uploads.get("file") is None:
        message = _("Upload a video or photo of the presenter.")
        raise InvalidInputError.of("file", message, "required")
    if is_local:
        return
    for name, limit in (("file", UPLOAD_MAX_BYTES), ("landmarks", LANDMARKS_MAX_BYTES)):
        upload = uploads.get(name)
        if upload is not None and (upload.size or 0) > limit:
            message = _("The file is larger than %(limit)s MB.") % {"limit": limit >> 20}
            raise InvalidInputError.of(name, message, "too_large")
    look_inside(engine, settings, uploads)


def is_filmed_engine(engine: str) -> bool:
    """Whether presenters of an engine are built of uploads."""
    try:
        return bool(get_engine("face", engine).builder)
    except LookupError:
        return False


def look_inside(engine: str, settings: Mapping[str, Any], uploads: Uploads) -> None:
    """Raises InvalidInputError with the child's reason; where it has no time, the build says it."""
    points = uploads.get("landmarks")
    given = json.dumps([engine, dict(settings), uploads.get("options")], sort_keys=True)
    key = ("upload", id(uploads["file"]), points and _digest(points), given)
    once(key, lambda: _look(engine, settings, uploads))


def _digest(points: UploadedFile[Any]) -> str:
    """Marks on a photo are another file each time that they are read from their form."""
    digest = hashlib.sha256()
    for chunk in points.chunks():
        digest.update(chunk)
    points.seek(0)
    return digest.hexdigest()


def _look(engine: str, settings: Mapping[str, Any], uploads: Uploads) -> None:
    with ExitStack() as stack:
        landmarks = uploads.get("landmarks")
        request = {
            "engine": engine,
            "settings": dict(settings),
            "options": dict(uploads.get("options") or {}),
            "source": stack.enter_context(_on_disk(uploads["file"])),
            "landmarks": stack.enter_context(_on_disk(landmarks)) if landmarks else None,
        }
        try:
            run_tool("upload", request, timeout_seconds=_TOOL_SECONDS)
        except ToolError as error:
            if error.code in ("busy", "timed_out"):
                return
            raise _refusal(error) from error


def _refusal(error: ToolError) -> InvalidInputError:
    if error.code == "tool_failed":
        # Killed by its limits: it wanted more memory or time than any upload needs.
        text = "The file cannot be read: it is damaged, or made to exhaust the machine."
        return InvalidInputError.of("file", text, "footage_damaged")
    field = "landmarks" if error.code in _OF_LANDMARKS else _OF_SETTINGS.get(error.code, "file")
    return InvalidInputError.of(field, error.message, error.code)


@contextmanager
def _on_disk(upload: UploadedFile[Any]) -> Iterator[str]:
    """Where its bytes can be read by another process; small ones come in memory."""
    if hasattr(upload, "temporary_file_path"):
        yield upload.temporary_file_path()
        return
    with tempfile.NamedTemporaryFile(prefix="ls-upload-") as file:
        for chunk in upload.chunks():
            file.write(chunk)
        file.flush()
        upload.seek(0)
        yield file.name
