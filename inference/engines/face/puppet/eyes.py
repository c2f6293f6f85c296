"""Eyes and brows as vector art: one SVG for each opening and smile.

They are drawn for the left of the picture; the right one is a mirror image. The iris is a
separate sprite that moves inside the white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Dense enough that the mean of two neighbours shows one lid, not two.
OPENINGS: Final = (0.0, 0.07, 0.14, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87, 0.94, 1.0, 1.1, 1.2)
SMILES: Final = (0.0, 0.12, 0.3, 0.5, 0.75, 1.0)
BROW_FORMS: Final = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Left, top, width, height around the middle of the eye and of the brow, in art units.
EYE_BOX: Final = (-46, -38, 92, 70)
BROW_BOX: Final = (-42, -20, 84, 40)


@dataclass(frozen=True, slots=True)
class EyeLook:
    """A character's eyes. height: of the open eye, against the widest. lash: colours, out to in.

    weight: thickness of the upper lashes; wing: how far they reach beyond the corner, 0..1.
    """

    height: float
    lash: tuple[str, str]
    weight: float
    wing: float
    crease: str


@dataclass(frozen=True, slots=True)
class BrowLook:
    """A character's brows. colours: from the inner end out; weight: thickness; arch: height."""

    colours: tuple[str, str, str]
    weight: float
    arch: float


_INNER: Final = (28.0, 9.0)
_OUTER: Final = (-30.0, 2.0)
_DEFS: Final = """<defs>
<linearGradient id="white" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#d5cfdb"/><stop offset=".4" stop-color="#f8f6fa"/>
<stop offset="1" stop-color="#ffffff"/></linearGradient>
<linearGradient id="lid" gradientUnits="userSpaceOnUse" x1="0" y1="-20" x2="0" y2="-4">
<stop offset="0" stop-color="#2a0f0a" stop-opacity=".55"/>
<stop offset="1" stop-color="#2a0f0a" stop-opacity="0"/></linearGradient>
</defs>"""


class EyeShape:
    """The two lids of one eye as heights of their Bezier handles, y downwards."""

    def __init__(self, opening: float, smile: float, look: EyeLook) -> None:
        closed = 18.0 - 34.0 * smile
        self.opening = opening
        self.smile = smile
        self.look = look
        highest = 9.0 - 33.5 * look.height
        self.upper = closed + (highest - closed) * min(opening, 1.0) - 6.0 * max(0.0, opening - 1.0)
        lower_open = 22.5 - 12.0 * smile
        self.lower = closed + (lower_open - closed) * min(1.0, 1.25 * opening)

    def upper_lid(self, lift: float = 0.0) -> str:
        """From the outer to the inner corner."""
        y = self.upper - lift
        return f"C -20 {y - 1:.2f} 15 {y - 1:.2f} {_INNER[0]} {_INNER[1]}"

    def lower_lid(self) -> str:
        """From the inner to the outer corner."""
        y = self.lower
        return f"C 15 {y:.2f} -17 {y + 1:.2f} {_OUTER[0]} {_OUTER[1]}"

    def outline(self) -> str:
        return f"M {_OUTER[0]} {_OUTER[1]} {self.upper_lid()} {self.lower_lid()} Z"


def white_svg(opening: float, smile: float, look: EyeLook) -> str:
    """The white of the eye; its alpha also masks the iris."""
    shape = EyeShape(opening, smile, look)
    if opening <= 0.0:
        return _svg(EYE_BOX, "")
    return _svg(EYE_BOX, f'<path d="{shape.outline()}" fill="url(#white)"/>')


def lash_svg(opening: float, smile: float, look: EyeLook) -> str:
    """Everything that lies over the iris: lid shadow, lashes, crease, lower lid."""
    shape = EyeShape(opening, smile, look)
    return _svg(EYE_BOX, _shadow(shape) + _lower_line(shape) + _lashes(shape) + _crease(shape))


def brow_svg(form: float, look: BrowLook) -> str:
    """One brow; form -1 flat, 1 high arch."""
    arch = (-6.0 - 5.0 * form) * look.arch
    # The lower edge goes down with the weight, the upper one half as far up.
    low, high = 3.2 * (look.weight - 1), 1.6 * (look.weight - 1)
    path = (
        f"M 32 {-1 - high:.2f} C 20 {0.4 * arch - 4 - high:.2f} 0 {arch - 3 - high:.2f} "
        f"-13 {arch - 1 - high:.2f} C -24 {arch + 1 - high:.2f} -32 0 -37 6 "
        f"C -30 2 -22 {arch + 6 + low:.2f} -12 {arch + 5.5 + low:.2f} "
        f"C 2 {arch + 4.5 + low:.2f} 20 {0.4 * arch + 5 + low:.2f} 31 {6.5 + low:.2f} "
        f"C 35 {6 + low:.2f} 35 {-high:.2f} 32 {-1 - high:.2f} Z"
    )
    inner, middle, outer = look.colours
    defs = (
        f'<defs><linearGradient id="brow" x1="1" y1="0" x2="0" y2="0">'
        f'<stop offset="0" stop-color="{inner}" stop-opacity=".75"/>'
        f'<stop offset=".3" stop-color="{middle}"/><stop offset="1" stop-color="{outer}"/>'
        "</linearGradient></defs>"
    )
    return _svg(BROW_BOX, f'{defs}<path d="{path}" fill="url(#brow)"/>')


def _shadow(shape: EyeShape) -> str:
    if shape.opening < 0.2:
        return ""
    shift = 25.0 + shape.upper
    return (
        f'<clipPath id="eye"><path d="{shape.outline()}"/></clipPath><g clip-path="url(#eye)">'
        f'<rect x="-46" y="-38" width="92" height="70" fill="url(#lid)" '
        f'transform="translate(0 {0.75 * shift + 1:.2f})"/></g>'
    )


def _lashes(shape: EyeShape) -> str:
    wide = min(1.0, shape.opening / 0.4)
    look = shape.look
    thick = (3.6 + 1.6 * wide) * look.weight
    x, y = _OUTER
    # A shut eye hangs its wing down, or lifts it in a smile.
    droop = (1 - min(shape.opening, 1.0)) * (3.5 - 4.0 * shape.smile)
    inner_x, inner_y = _INNER
    tip_x, tip_y = x - 2.0 - 6.0 * look.wing, y - 3.0 - 3.5 * look.wing + droop
    path = (
        f"M {tip_x} {tip_y:.2f} Q {x - 3} {y - 1.5 + 0.5 * droop:.2f} {x + 1} {y + 0.5} "
        f"{shape.upper_lid()} L {inner_x + 0.5} {inner_y - 1.2} "
        f"C 15 {shape.upper - 1.1 * thick:.2f} -20 {shape.upper - 1.75 * thick:.2f} "
        f"{x - 2} {y - 5 + droop:.2f} Q {x - 5} {y - 5 + droop:.2f} {tip_x} {tip_y:.2f} Z"
    )
    outer, inner = look.lash
    return (
        f'<defs><linearGradient id="lash" x1="0" y1="0" x2="1" y2="0"><stop offset="0" '
        f'stop-color="{outer}"/><stop offset="1" stop-color="{inner}"/></linearGradient></defs>'
        f'<path d="{path}" fill="url(#lash)"/>'
    )


def _crease(shape: EyeShape) -> str:
    if shape.opening < 0.15:
        return ""
    strength = min(1.0, shape.opening) * 0.75
    y = shape.upper - 10.5
    path = f"M -29 {0.30 * y + 1:.2f} C -18 {y:.2f} 12 {y - 1:.2f} 26 {0.14 * y + 3:.2f}"
    return (
        f'<path d="{path}" fill="none" stroke="{shape.look.crease}" stroke-width="1.5" '
        f'stroke-linecap="round" opacity="{strength:.2f}"/>'
    )


def _lower_line(shape: EyeShape) -> str:
    if shape.opening < 0.1:
        return ""
    y = shape.lower
    path = f"M 19 {9 + 0.22 * y:.2f} C 11 {y:.2f} -16 {y + 1:.2f} -29 4"
    return (
        f'<path d="{path}" fill="none" stroke="#9a6454" stroke-width="1.3" '
        'stroke-linecap="round" opacity=".65"/>'
    )


def _svg(box: tuple[int, int, int, int], body: str) -> str:
    left, top, width, height = box
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">'
        f"{_DEFS}{body}</svg>"
    )
