"""Signed documents: told by what is in them, kept as they came, never opened here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from livestudio.common.errors import InvalidInputError

DOCUMENT_MAX_BYTES: Final = 10 * 1024 * 1024
# A PDF may have a few bytes behind its end mark.
_PDF_TAIL_BYTES: Final = 1024
CONTENT_TYPES: Final = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file. kind: of CONTENT_TYPES, and the end of its name."""

    content: bytes
    kind: str
    sha256: str


def read_document(upload: UploadedFile[Any]) -> Document:
    """Raises InvalidInputError for field `file` unless it is a whole PDF, PNG or JPEG."""
    if upload.size is None or upload.size > DOCUMENT_MAX_BYTES:
        raise too_heavy()
    content = b"".join(upload.chunks())
    kind = _kind_of(content)
    if kind is None:
        message = _("This is not a whole PDF, PNG or JPEG.")
        raise InvalidInputError.of("file", message, "document_unreadable")
    return Document(content, kind, hashlib.sha256(content).hexdigest())


def too_heavy() -> InvalidInputError:
    """The refusal of a document that is too large."""
    message = _("The file is larger than %(limit)s MB.") % {"limit": DOCUMENT_MAX_BYTES >> 20}
    return InvalidInputError.of("file", message, "document_too_heavy")


def _kind_of(content: bytes) -> str | None:
    """By its first and last bytes: what somebody named it does not count, nor a half file."""
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-_PDF_TAIL_BYTES:]:
        return "pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82"):
        return "png"
    if content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9"):
        return "jpg"
    return None
