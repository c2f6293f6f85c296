"""Turns the vector art into pixels once per picture size and keeps them in the disk cache."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import resvg_py

from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.puppet import eyes, gestures, mouth
from inference.engines.face.puppet.ground import is_picture, load_picture
from inference.engines.face.puppet.pack import PackError, read_pack, write_pack
from inference.engines.face.puppet.rig import (
    ART,
    Placement,
    Rig,
    backgrounds,
    load_rig,
    place,
)
from inference.media.idle import engine_digest

logger = logging.getLogger(__name__)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# Rows Y U V, columns B G R 255: BT.601 limited range of premultiplied colours 0..255.
_BGRA_TO_YUV: Final = np.array(
    [
        [0.097906, 0.504129, 0.256788, 16 / 255],
        [0.439216, -0.290993, -0.148223, 128 / 255],
        [-0.071427, -0.367788, 0.439216, 128 / 255],
    ],
    np.float32,
)
# Transparent rim of a layer in px, so that a warp never smears its edge.
_RIM_PX: Final = 3
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Layer:
    """A baked drawing. pixels: (h, w, 4) uint8 YUVA premultiplied; left, top: px in the picture.

    YUVA is BT.601 limited range and alpha: what a picture needs, so that no frame is converted.
    """

    pixels: Pixels
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True)
class Art:
    """All pixels of a character at one picture size. layers: those of the rig, and arms.

    ground: (height, width, 4) YUVA, opaque. ground_i420: (height * 3 // 2, width).
    Sprite grids end with (h, w, 4); whites and lashes begin with (openings, smiles), mouths with
    (openings, forms, puckers), brows with (forms,).
    """

    rig: Rig
    placement: Placement
    layers: dict[str, Layer]
    ground: Pixels
    ground_i420: Pixels
    whites: Pixels
    lashes: Pixels
    brows: Pixels
    mouths: Pixels
    iris: Pixels
    cheek: Layer


def draw_ground(setup: FaceSetup) -> Pixels:
    """The background alone, (height * 3 // 2, width) uint8 I420. Takes a second of a core.

    Raises EngineError on an unknown background.
    """
    _check_background(setup.background)
    return _i420(_bake_background(setup))


def load_art(setup: FaceSetup) -> Art:
    """The art for a setup, baked now if the cache lacks it. Raises EngineError, OSError."""
    settings = setup.settings
    rig = load_rig(str(settings.get("character", "lin")), str(settings.get("outfit", "")))
    placement = place(rig, setup.width_px, setup.height_px, setup.framing)
    _check_background(setup.background)
    path = _cache_path(setup, rig)
    try:
        arrays, facts = read_pack(path)
    except PackError as error:
        logger.info("baking the presenter: %s", error)
        arrays, facts = _bake(setup, rig, placement)
        write_pack(path, arrays, facts)
        arrays, facts = read_pack(path)
    return _assemble(rig, placement, arrays, facts)


def _cache_path(setup: FaceSetup, rig: Rig) -> Path:
    look = [
        rig.character,
        rig.outfit.name,
        setup.width_px,
        setup.height_px,
        setup.framing,
        setup.background,
    ]
    text = json.dumps([engine_digest("puppet"), look])
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    return Path(setup.cache_folder) / f"puppet-{digest}.pack"


def _check_background(name: str) -> None:
    if name not in backgrounds() and not _COLOUR.fullmatch(name) and not is_picture(name):
        known = ", ".join(backgrounds())
        raise EngineError(
            "unknown_background",
            f"There is no background {name!r}. There are: {known}, or a colour like #dfe6f4.",
            retryable=False,
        )


def _assemble(
    rig: Rig, placement: Placement, arrays: dict[str, Pixels], facts: dict[str, Any]
) -> Art:
    def layer(name: str) -> Layer:
        left, top = facts["origins"][name]
        return Layer(arrays[f"layer:{name}"], left, top)

    grids = {name: arrays[name] for name in ("whites", "lashes", "brows", "mouths", "iris")}
    names = [item.name for item in rig.layers] + [arm.layer for arm in gestures.ARMS]
    layers = {name: layer(name) for name in names}
    return Art(
        rig, placement, layers, arrays["ground"], arrays["ground_i420"],
        cheek=layer("cheek"), **grids,
    )  # fmt: skip


def _bake(
    setup: FaceSetup, rig: Rig, placement: Placement
) -> tuple[dict[str, Pixels], dict[str, Any]]:
    arrays: dict[str, Pixels] = {}
    origins: dict[str, list[int]] = {}
    ground = _bake_background(setup)
    arrays["ground"] = ground
    arrays["ground_i420"] = _i420(ground)
    for name, svg in _drawings(rig, placement):
        baked = _bake_layer(svg, placement)
        arrays[f"layer:{name}"], origins[name] = baked.pixels, [baked.left_px, baked.top_px]
    arrays |= _bake_sprites(rig, placement.scale)
    iris = (rig.folder / "iris.svg").read_text()
    arrays["iris"] = _sprite(iris, (-24, -24, 48, 48), placement.scale)
    return arrays, {"origins": origins}


def _drawings(rig: Rig, placement: Placement) -> Iterator[tuple[str, str]]:
    """(name, SVG) of everything that is drawn on a whole sheet."""
    for name in [layer.name for layer in rig.layers] + ["cheek"]:
        file = rig.outfit.drawing if name == "body" else f"{name}.svg"
        yield name, (rig.folder / file).read_text()
    for arm in gestures.ARMS:
        held = gestures.placed(arm, placement.half_width, placement.bottom)
        yield arm.layer, gestures.arm_svg(held, rig.skin, rig.outfit.sleeve)


def _bake_sprites(rig: Rig, scale: float) -> dict[str, Pixels]:
    def grid(drawings: list[str], box: tuple[int, int, int, int], *shape: int) -> Pixels:
        sprites = np.stack([_sprite(drawing, box, scale) for drawing in drawings])
        return sprites.reshape(*shape, *sprites.shape[1:])

    lids = [(opening, smile) for opening in eyes.OPENINGS for smile in eyes.SMILES]
    shape = (len(eyes.OPENINGS), len(eyes.SMILES))
    mouths = [
        mouth.mouth_svg(opening, form, pucker, rig.mouth)
        for opening in mouth.OPENINGS
        for form in mouth.FORMS
        for pucker in mouth.PUCKERS
    ]
    sizes = (len(mouth.OPENINGS), len(mouth.FORMS), len(mouth.PUCKERS))
    return {
        "whites": grid([eyes.white_svg(*lid, rig.eyes) for lid in lids], eyes.EYE_BOX, *shape),
        "lashes": grid([eyes.lash_svg(*lid, rig.eyes) for lid in lids], eyes.EYE_BOX, *shape),
        "brows": grid(
            [eyes.brow_svg(form, rig.brows) for form in eyes.BROW_FORMS],
            eyes.BROW_BOX,
            len(eyes.BROW_FORMS),
        ),
        "mouths": grid(mouths, mouth.BOX, *sizes),
    }


def sprite_size(box: tuple[int, int, int, int], scale: float) -> tuple[int, int]:
    """Width and height in px of a sprite whose view box is `box`."""
    return max(2, round(box[2] * scale)), max(2, round(box[3] * scale))


def _sprite(svg: str, box: tuple[int, int, int, int], scale: float) -> Pixels:
    width, height = sprite_size(box, scale)
    return _yuva(_render(svg, width, height))


def _bake_layer(drawing: str, placement: Placement) -> Layer:
    """Render the whole sheet and keep what is painted. The sheet is 1280 x 1000 units."""
    scale = placement.scale
    # Whole px here; the fraction of the offset goes into the drawing's view box.
    left, top = int(np.floor(placement.left_px)), int(np.floor(placement.top_px))
    shift_x = (placement.left_px - left) / scale
    shift_y = (placement.top_px - top) / scale
    svg = drawing.replace(
        'viewBox="0 0 1280 1000"', f'viewBox="{-shift_x:.4f} {-shift_y:.4f} 1280 1000"'
    )
    sheet = _render(svg, round(1280 * scale), round(1000 * scale))
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(sheet[:, :, 3]))
    # Cut first: most of a sheet is empty, and to convert all of it took a quarter of the time.
    cut = _yuva(sheet[y : y + height, x : x + width])
    rim = cv2.copyMakeBorder(
        cut, _RIM_PX, _RIM_PX, _RIM_PX, _RIM_PX, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)
    )
    return Layer(np.asarray(rim, np.uint8), left + x - _RIM_PX, top + y - _RIM_PX)


def _bake_background(setup: FaceSetup) -> Pixels:
    width, height = setup.width_px, setup.height_px
    if _COLOUR.fullmatch(setup.background):
        red, green, blue = bytes.fromhex(setup.background[1:])
        return _yuva(np.full((height, width, 4), (blue, green, red, 255), np.uint8))
    if is_picture(setup.background):
        return _yuva(load_picture(setup.background, width, height))
    path, stage = ART / "backgrounds" / f"{setup.background}.svg", (1280, 720)
    tall = ART / "backgrounds" / "tall" / path.name
    if height > width and tall.exists():
        path, stage = tall, (720, 1280)
    cover = max(width / stage[0], height / stage[1])
    full = _render(path.read_text(), round(stage[0] * cover), round(stage[1] * cover))
    x, y = (full.shape[1] - width) // 2, (full.shape[0] - height) // 2
    ground = np.ascontiguousarray(full[y : y + height, x : x + width])
    ground[:, :, 3] = 255
    return _yuva(ground)


def _render(svg: str, width_px: int, height_px: int) -> Pixels:
    """(height, width, 4) uint8 BGRA, alpha not multiplied in."""
    sized = svg.replace("<svg ", f'<svg width="{width_px}" height="{height_px}" ', 1)
    sized = sized.replace("viewBox=", 'preserveAspectRatio="none" viewBox=', 1)
    png = resvg_py.svg_to_bytes(svg_string=sized, skip_system_fonts=True)
    pixels = np.asarray(
        cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_UNCHANGED), np.uint8
    )
    if pixels.shape != (height_px, width_px, 4):
        raise EngineError("bake_failed", f"The art came out as {pixels.shape}.", retryable=False)
    return pixels


def _yuva(pixels: Pixels) -> Pixels:
    """BGRA, alpha not multiplied in, to YUVA, multiplied in."""
    alpha = pixels[:, :, 3:].astype(np.float32)
    colours = pixels.astype(np.float32)
    colours[:, :, :3] *= alpha / 255
    yuv = cv2.transform(colours, _BGRA_TO_YUV)
    return np.ascontiguousarray(np.dstack([np.rint(yuv), alpha]).astype(np.uint8))


def _i420(pixels: Pixels) -> Pixels:
    """Opaque YUVA as (height * 3 // 2, width) I420; chroma is that of every second pixel."""
    height, width = pixels.shape[:2]
    chroma = pixels[::2, ::2, 1:3].transpose(2, 0, 1)
    return np.vstack([pixels[:, :, 0], chroma.reshape(height // 2, width)])
