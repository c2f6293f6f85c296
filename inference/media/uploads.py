"""Uploaded images: judged by what is in them, decoded, and written anew by us.

Runs in a child of its own with limits: nothing else in the system ever decodes what a user sent.
"""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Final, Literal

from PIL import Image, ImageCms, ImageOps

UploadKind = Literal["card", "logo", "background"]

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MAX_PIXELS: Final = 40_000_000
MIN_SIDE_PX: Final = 16
# The longest side that is kept: a background fills 1080p in both directions after its crop.
_LONGEST_PX: Final[dict[UploadKind, int]] = {"card": 1200, "logo": 1024, "background": 3840}
_JPEG_QUALITY: Final = 92
_MESSAGES: Final = {
    "picture_unreadable": "This is not a whole JPEG, PNG or WebP picture.",
    "picture_too_large": "The picture has more than 40 megapixels.",
    "picture_too_small": "The picture is less than 16 pixels wide or high.",
}


class UploadError(Exception):
    """The upload cannot be used. code: one of `_MESSAGES`, whose words it carries."""

    def __init__(self, code: str) -> None:
        super().__init__(_MESSAGES[code])
        self.code = code


def rewrite_upload(path: Path, kind: UploadKind) -> bytes:
    """A line of JSON {format, width_px, height_px}, then the image as we keep it.

    It stands upright, without metadata, no larger than needed; the first picture of an animation.
    With an alpha that is used: PNG, else JPEG. Raises UploadError.
    """
    try:
        return _rewrite(path, kind)
    except UploadError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders of hostile files fail in every way
        raise UploadError("picture_unreadable") from error


def _rewrite(path: Path, kind: UploadKind) -> bytes:
    image = _upright(_open(path), _LONGEST_PX[kind])
    # Pillow would write comments and profiles of the upload into our file again.
    image.info.clear()
    is_clear = kind != "background" and _has_alpha(image)
    written = io.BytesIO()
    if is_clear:
        image.convert("RGBA").save(written, "PNG", compress_level=6)
    else:
        _on_white(image).save(written, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    facts = {
        "format": "png" if is_clear else "jpg",
        "width_px": image.width,
        "height_px": image.height,
    }
    return json.dumps(facts).encode() + b"\n" + written.getvalue()


def open_picture(path: Path, longest_px: int = 4096) -> Image.Image:
    """An uploaded picture, upright, no larger than needed. Raises UploadError."""
    return _upright(_open(path), longest_px)


def open_kept(path: Path) -> Image.Image:
    """A picture that was written by us, RGBA. Raises OSError when it is gone or damaged."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            return image.convert("RGBA")
    except (SyntaxError, ValueError) as error:
        # Pillow's own words for a damaged PNG, one that lost its end with the power for one.
        raise OSError(str(error)) from error


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow only warns below twice its own limit; ours is checked from the header, undecoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(path.read_bytes()), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise UploadError("picture_too_large") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise UploadError("picture_unreadable") from error
    if image.width * image.height > MAX_PIXELS:
        raise UploadError("picture_too_large")
    if min(image.size) < MIN_SIDE_PX:
        raise UploadError("picture_too_small")
    return image


def _upright(image: Image.Image, longest_px: int) -> Image.Image:
    try:
        image.draft("RGB", (longest_px, longest_px))  # JPEG is decoded no larger than needed
        image.load()
        turned = ImageOps.exif_transpose(image)
        turned.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return _plain(_in_srgb(turned))
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise UploadError("picture_unreadable") from error


def _in_srgb(image: Image.Image) -> Image.Image:
    """The colours that the picture's own profile means: phones write wider ones than sRGB."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        plain = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, plain, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that nobody can read


def _plain(image: Image.Image) -> Image.Image:
    """The image as 8 bit RGB or RGBA, whatever it came in."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")  # 16 bits of grey
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground
