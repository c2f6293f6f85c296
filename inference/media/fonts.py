"""Find a font that has Chinese, and measure with it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from PIL import ImageFont

_PACKAGE: Final = "noto_cjk_sans_otc"
_SYSTEM_FOLDERS: Final = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
)
# Face index of Simplified Chinese: a collection's first face is Japanese and draws other strokes.
_FACES: Final = {
    "NotoSansCJK-Regular.ttc": 2,
    "NotoSansCJK-Medium.ttc": 2,
    "NotoSansCJKsc-Regular.otf": 0,
    "SourceHanSansSC-Regular.otf": 0,
    "SourceHanSans.ttc": 2,
    "wqy-microhei.ttc": 0,
    "wqy-zenhei.ttc": 0,
    "PingFang.ttc": 0,
}
# Controls, signs that only join or turn their neighbours, and marks that make no letter with what
# they stand on: struck-out prices, keycaps.
_WITHOUT_SHAPE: Final = frozenset({"Cc", "Cf", "Cs", "Mn", "Me"})
# Pillow does not say whether a font has a sign; it draws the same box for each that it lacks.
_NOT_A_CHARACTER: Final = "\uffff"
_PROBE_PX: Final = 24


class FontMissingError(Exception):
    """No font with Chinese characters was found; captions and labels need one."""


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font file and the number of the face in it."""

    path: Path
    index: int


@lru_cache(maxsize=1)
def find_font() -> FontFile:
    """The font for everything that is drawn over the picture. Raises FontMissingError."""
    for folder in (*_package_folders(), *_SYSTEM_FOLDERS):
        found = _search(folder)
        if found is not None:
            return found
    raise FontMissingError(
        f"no font with Chinese characters: install the Python package {_PACKAGE} "
        "or the system package fonts-noto-cjk"
    )


@lru_cache(maxsize=32)
def load_font(size_px: int) -> ImageFont.FreeTypeFont:
    """The font at a size (em square, px). Raises FontMissingError."""
    font = find_font()
    return ImageFont.truetype(str(font.path), size_px, index=font.index)


@lru_cache(maxsize=64)
def font_of_height(height_px: int, sample: str) -> ImageFont.FreeTypeFont:
    """The smallest font in which the ink of `sample` is at least `height_px` high."""
    size = height_px
    while _ink_height(load_font(size), sample) < height_px:
        size += 1
    return load_font(size)


def drawable(text: str) -> str:
    """What of the text can be drawn: no emoji, which the font would show as crossed boxes.

    Blanks stay, of any kind. Raises FontMissingError.
    """
    composed = unicodedata.normalize("NFC", text)
    return "".join(sign for sign in composed if sign.isspace() or _is_drawable(sign))


@lru_cache(maxsize=4096)
def _is_drawable(sign: str) -> bool:
    if unicodedata.category(sign) in _WITHOUT_SHAPE:
        return False
    font = load_font(_PROBE_PX)
    found, missing = font.getmask(sign), font.getmask(_NOT_A_CHARACTER)
    return found.size != missing.size or bytes(found) != bytes(missing)


def _ink_height(font: ImageFont.FreeTypeFont, sample: str) -> float:
    _, top, _, bottom = font.getbbox(sample)
    return bottom - top


def _package_folders() -> tuple[Path, ...]:
    spec = find_spec(_PACKAGE)
    return tuple(map(Path, spec.submodule_search_locations or ())) if spec else ()


def _search(folder: Path) -> FontFile | None:
    for name, index in _FACES.items():
        path = next(folder.rglob(name), None) if folder.is_dir() else None
        if path is not None:
            return FontFile(path, index)
    return None
