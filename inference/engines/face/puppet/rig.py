"""A character's rig: which drawings lie over each other and how the parameters move them.

Lengths are art units: one px of a 1280x720 stage. Parameters have the names and ranges of Live2D
(ParamAngleX -30..30 degrees, ParamEyeLOpen 0..1, ParamMouthOpenY 0..1 ...) plus MouthPucker 0..1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from inference.engines.base import EngineError
from inference.engines.face.puppet.eyes import BrowLook, EyeLook
from inference.engines.face.puppet.hands import Skin, Sleeve
from inference.engines.face.puppet.mouth import MouthLook
from inference.media.places import hands_box

ART: Final = Path(__file__).parent / "art"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LayerRig:
    """One drawing. depth: how strongly it follows the turn of the head, 0 not at all.

    head_weight: (y0, w0, y1, w1), how much of the head's motion a height takes over; None: none.
    sway: (y0, y1, shift), the swing of loose hair, growing from y0 to y1.
    """

    name: str
    depth: float
    head_weight: tuple[float, float, float, float] | None
    sway: tuple[float, float, float] | None

    @property
    def follows_head(self) -> bool:
        """Whether anything but the body moves it."""
        return bool(self.head_weight or self.sway)


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a character wears: the drawing of its body, and the sleeves of raised arms."""

    name: str
    sleeve: Sleeve

    @property
    def drawing(self) -> str:
        return f"body_{self.name}.svg"


@dataclass(frozen=True, slots=True)
class Rig:
    """Everything about a character that is not a drawing."""

    character: str
    outfit: Outfit
    skin: Skin
    eyes: EyeLook
    brows: BrowLook
    mouth: MouthLook
    figure_width: float
    crown: float
    layers: tuple[LayerRig, ...]
    neck: Point
    waist: Point
    face_middle: Point
    face_radius: Point
    jaw: tuple[float, float, float]
    anchors: dict[str, Point]
    keyforms: dict[str, dict[str, float]]

    @property
    def folder(self) -> Path:
        return ART / self.character


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the art lies in the picture: px = scale * units + offset.

    half_width: units to each side of the figure's middle in which hands are held. bottom: the
    lowest height for them. Both leave room for what lies over the picture.
    """

    scale: float
    left_px: float
    top_px: float
    half_width: float
    bottom: float


def characters() -> list[str]:
    """The names of the characters that can be drawn."""
    return sorted(path.parent.name for path in ART.glob("*/rig.json"))


def backgrounds() -> list[str]:
    """The names of the drawn backgrounds."""
    return sorted(path.stem for path in (ART / "backgrounds").glob("*.svg"))


def outfits(character: str) -> list[str]:
    """What a character can wear; the first is what it wears unless told otherwise."""
    values = json.loads((ART / character / "rig.json").read_text())
    return list(values["outfits"])


@lru_cache
def load_rig(character: str, outfit: str = "") -> Rig:
    """The rig of a character in an outfit. Raises EngineError naming those that exist."""
    if character not in characters():
        raise EngineError(
            "unknown_character",
            f"There is no presenter {character!r}. There are: {', '.join(characters())}.",
            retryable=False,
        )
    values: dict[str, Any] = json.loads((ART / character / "rig.json").read_text())
    values.pop("stage")
    values["outfit"] = _outfit(values.pop("outfits"), outfit)
    looks = {"skin": Skin, "eyes": EyeLook, "brows": BrowLook, "mouth": MouthLook}
    values |= {name: look(**values[name]) for name, look in looks.items()}
    values["layers"] = tuple(_layer(layer) for layer in values["layers"])
    for name in ("neck", "waist", "face_middle", "face_radius", "jaw"):
        values[name] = tuple(values[name])
    values["anchors"] = {name: tuple(point) for name, point in values["anchors"].items()}
    return Rig(**values)


def _outfit(sleeves: dict[str, dict[str, str]], name: str) -> Outfit:
    name = name or next(iter(sleeves))
    if name not in sleeves:
        raise EngineError(
            "unknown_outfit",
            f"This presenter has no outfit {name!r}. There are: {', '.join(sleeves)}.",
            retryable=False,
        )
    return Outfit(name, Sleeve(**sleeves[name]))


def _layer(values: dict[str, Any]) -> LayerRig:
    weight, sway = values["head_weight"], values["sway"]
    return LayerRig(values["name"], values["depth"], weight and tuple(weight), sway and tuple(sway))


# The sheet is 1000 high; a body that breathes and leans needs some of it.
_DRAWN_UNITS: Final = 970


def place(rig: Rig, width_px: int, height_px: int, framing: str) -> Placement:
    """Where the figure stands in a picture of this size. Raises EngineError on an unknown framing.

    A wide picture shows head to waist; a tall one is filled by the shoulders' width.
    """
    if framing not in ("full", "close"):
        raise EngineError(
            "unknown_framing", f"There is no framing {framing!r}; there are: full, close."
        )
    scale = min(height_px / 720, width_px / rig.figure_width)
    # The hands need room above the card; the body is drawn so far down and no further.
    top = max(0.36 * max(0.0, height_px - 720 * scale), height_px - _DRAWN_UNITS * scale)
    if framing == "close":
        # The top of the hair stays where it is, everything grows down from it.
        top, scale = top - 0.3 * scale * rig.crown, 1.3 * scale
    hands = hands_box(width_px, height_px)
    left, bottom = width_px / 2 - rig.neck[0] * scale, (hands.bottom - top) / scale
    return Placement(scale, left, top, hands.width / 2 / scale, bottom)
