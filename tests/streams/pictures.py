"""Uploaded pictures as the tests of this app need them."""

from __future__ import annotations

import io

from PIL import Image

from accounts.models import Organization
from accounts.roles import SYSTEM
from streams.models import Picture
from streams.services.pictures import Rewritten, keep_picture


def image_bytes(
    size: tuple[int, int] = (32, 32),
    form: str = "PNG",
    mode: str = "RGBA",
    colour: tuple[int, ...] = (200, 40, 40, 128),
) -> bytes:
    """A picture of one colour in a file format of Pillow's."""
    written = io.BytesIO()
    Image.new(mode, size, colour[: len(mode)]).save(written, form)
    return written.getvalue()


def png_bytes() -> bytes:
    """A small half-transparent PNG."""
    return image_bytes()


def make_picture(organization: Organization, kind: str = "card", name: str = "Tea") -> Picture:
    """A picture as it lies after its upload was read."""
    rewritten = Rewritten(png_bytes(), "png", 32, 32)
    picture = Picture(organization=organization, kind=kind, name=name)
    return keep_picture(picture, rewritten, SYSTEM)
