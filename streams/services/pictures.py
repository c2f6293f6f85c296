"""Uploaded pictures: taken in, found on the disk, named by shows and cues, removed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from inference.tool_client import ToolError, run_tool
from livestudio.common.errors import InvalidInputError, NotFoundError, UnavailableError
from livestudio.common.files import stored
from livestudio.common.locking import lock_row
from metering.services.counting import require_room
from metering.services.storage import forget_files, note_file
from streams.errors import PictureInUseError
from streams.models import Broadcast, Cue, Picture, Show
from streams.models.broadcast import FINAL_STATES
from streams.models.picture import PICTURES_FOLDER, PictureKind

PICTURE_MAX_BYTES: Final = 8 * 1024 * 1024
# Decoding and writing 40 megapixels anew takes a few seconds of one core.
_TOOL_SECONDS: Final = 30.0

Actor = User | SystemActor


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An upload as our child wrote it anew. format: of the file's name, png or jpg."""

    content: bytes
    format: str
    width_px: int
    height_px: int


def create_picture(
    *, organization: Organization, kind: str, name: str, upload: UploadedFile[Any], actor: Actor
) -> Picture:
    """Keep an upload. name: empty = that of the file. Raises InvalidInputError for field `file`."""
    require_permission(actor, "show.edit", organization)
    rewritten = rewrite_upload(upload, kind)
    picture = Picture(organization=organization, kind=kind, name=name or upload_name(upload))
    return keep_picture(picture, rewritten, actor)


def keep_picture(picture: Picture, rewritten: Rewritten, actor: Actor) -> Picture:
    """Save a picture whose upload was rewritten and whose maker may do this.

    Raises QuotaExceededError when there is no room for it.
    """
    picture.width_px, picture.height_px = rewritten.width_px, rewritten.height_px
    size_bytes = len(rewritten.content)
    content = ContentFile(rewritten.content)
    with ExitStack() as files, transaction.atomic():
        require_room(picture.organization_id, "storage_bytes", size_bytes)
        picture.file = files.enter_context(stored(picture.file, f"x.{rewritten.format}", content))
        picture.save()
        note_file(picture.organization_id, "picture", picture.pk, size_bytes)
        record(actor, "streams.picture.created", picture, data={"name": picture.name})
    return picture


def rename_picture(*, picture: Picture, name: str, actor: Actor) -> Picture:
    """Call it otherwise. Raises ForbiddenError."""
    require_permission(actor, "show.edit", picture.organization)
    with transaction.atomic():
        lock_row(picture)
        before, picture.name = picture.name, name
        picture.save(update_fields=["name", "updated_at"])
        record(actor, "streams.picture.renamed", picture, data={"before": before, "name": name})
    return picture


def upload_name(upload: UploadedFile[Any]) -> str:
    """A name to show, from the file's; it never becomes a path."""
    return (Path(upload.name or "").stem.strip() or "picture")[:100]


def rewrite_upload(upload: UploadedFile[Any], kind: str) -> Rewritten:
    """Decode an upload in a limited child. Raises InvalidInputError, UnavailableError."""
    if upload.size is None or upload.size > PICTURE_MAX_BYTES:
        raise too_heavy()
    with tempfile.NamedTemporaryFile(prefix="livestudio-upload-") as file:
        for chunk in upload.chunks():
            file.write(chunk)
        file.flush()
        answer = _ask_tool(file.name, kind)
    facts, _newline, content = answer.partition(b"\n")
    return Rewritten(content, **json.loads(facts))


def too_heavy() -> InvalidInputError:
    """The refusal of a file that is too large."""
    message = _("The file is larger than %(limit)s MB.") % {"limit": PICTURE_MAX_BYTES >> 20}
    return InvalidInputError.of("file", message, "picture_too_heavy")


def delete_picture(*, picture: Picture, actor: Actor) -> None:
    """Remove a picture and its file. Raises PictureInUseError while a show or airing needs it."""
    require_permission(actor, "show.edit", picture.organization)
    if users := users_of(picture):
        raise PictureInUseError(_("This picture is used by: %s.") % ", ".join(users[:5]))
    with transaction.atomic():
        record(actor, "streams.picture.deleted", picture, data={"name": picture.name})
        forget_files("picture", [picture.pk])
        picture.delete()
        transaction.on_commit(lambda: picture.file.delete(save=False))


def users_of(picture: Picture) -> list[str]:
    """Titles of the shows that name the picture, and of airings that began with it."""
    key = str(picture.pk)
    shows = Show.objects.filter(organization=picture.organization, archived_at=None)
    named = {
        *shows.filter(logo=picture).values_list("title", flat=True),
        *shows.filter(background=key).values_list("title", flat=True),
        *shows.filter(cues__card_picture=picture).values_list("title", flat=True),
    }
    airings = Broadcast.objects.filter(organization=picture.organization)
    for airing in airings.exclude(state__in=FINAL_STATES):
        if key in json.dumps(airing.snapshot):
            named.add(airing.snapshot["title"])
    return sorted(named)


def picture_path(picture: Picture | None) -> Path | None:
    """Where the file lies; None when there is none. It never leads out of its folder."""
    if picture is None or not picture.file:
        return None
    folder = (Path(settings.MEDIA_ROOT) / PICTURES_FOLDER).resolve()
    path = Path(picture.file.path).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None


def read_picture(picture: Picture) -> tuple[bytes, str]:
    """The file and its content type. Raises NotFoundError when it is gone."""
    path = picture_path(picture)
    if path is None:
        raise NotFoundError("The file of this picture is not there any more.")
    return path.read_bytes(), "image/png" if path.suffix == ".png" else "image/jpeg"


def find_picture(picture_id: str) -> Picture | None:
    """The picture that a plan names, whatever became of it since."""
    key = as_picture_id(picture_id)
    return Picture.objects.filter(pk=key).first() if key else None


def background_of(value: str) -> str:
    """What the face engine is told: a drawn background's name, a colour, or a file's path."""
    if as_picture_id(value) is None:
        return value
    path = picture_path(find_picture(value))
    return str(path) if path else DEFAULT_BACKGROUND


DEFAULT_BACKGROUND: Final = "studio"


def as_picture_id(value: str) -> UUID | None:
    """The id of a picture, if it is one; names and colours of backgrounds are not."""
    try:
        return UUID(value)
    except ValueError:
        return None


def check_show_pictures(show: Show) -> None:
    """Raises InvalidInputError when logo or background are not pictures of the organization."""
    _check(show.logo, show.organization_id, PictureKind.LOGO, "logo")
    key = as_picture_id(show.background)
    if key is not None:
        picture = Picture.objects.for_organization(show.organization).filter(pk=key).first()
        if picture is None:
            raise _no_such_picture("background")
        _check(picture, show.organization_id, PictureKind.BACKGROUND, "background")


def check_cue_picture(cue: Cue, *, prefix: str = "") -> None:
    """Raises InvalidInputError when the card's picture is not one of the organization."""
    field = f"{prefix}card.picture"
    _check(cue.card_picture, cue.show.organization_id, PictureKind.CARD, field)


def _check(picture: Picture | None, organization_id: UUID, kind: PictureKind, field: str) -> None:
    if picture is None:
        return
    if picture.organization_id != organization_id:
        raise _no_such_picture(field)
    if picture.kind != kind:
        values = {"kind": picture.get_kind_display(), "wanted": kind.label}
        message = _("This picture was uploaded as “%(kind)s”; choose one of “%(wanted)s”.")
        raise InvalidInputError.of(field, message % values, "wrong_kind")


def _no_such_picture(field: str) -> InvalidInputError:
    return InvalidInputError.of(field, _("There is no such picture."), "not_found")


def _ask_tool(path: str, kind: str) -> bytes:
    request = {"path": path, "kind": kind}
    try:
        return run_tool("picture", request, timeout_seconds=_TOOL_SECONDS)
    except ToolError as error:
        tell = _REFUSALS.get(error.code)
        if tell is not None:
            raise InvalidInputError.of("file", tell(), error.code) from error
        if error.code == "busy":
            raise UnavailableError(_("Other pictures are being read. Try again soon.")) from error
        message = _("The picture could not be read; its file may be damaged.")
        raise InvalidInputError.of("file", message, "picture_unreadable") from error


_REFUSALS: Final[dict[str, Callable[[], str]]] = {
    "picture_unreadable": lambda: _("This is not a whole JPEG, PNG or WebP picture."),
    "picture_too_large": lambda: _("The picture has more than 40 megapixels."),
    "picture_too_small": lambda: _("The picture is less than 16 pixels wide or high."),
}
