"""The mouth as vector art: one SVG for each opening, form and pucker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Lips pressed together, as for p, b and m: thinner than lips at rest, however round they are.
PRESSED: Final = -0.05
# Grids of the baked sprites; between neighbours the compositor blends. Opening is dense near
# closed, where the eye sees every step.
OPENINGS: Final = (PRESSED, PRESSED / 2, 0.0, 0.04, 0.09, 0.16, 0.25, 0.36, 0.49, 0.64, 0.81, 1.0)
FORMS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
PUCKERS: Final = (0.0, 0.35, 0.7, 1.0)
# Left, top, width, height of a sprite around the anchor of the mouth, in art units.
BOX: Final = (-48, -26, 96, 78)


@dataclass(frozen=True, slots=True)
class MouthLook:
    """A character's lips: colours from top to bottom, thickness, width and shine against 1."""

    upper: tuple[str, str]
    lower: tuple[str, str, str]
    line: str
    thickness: float
    width: float
    shine: float


_DEFS: Final = """<defs>
<linearGradient id="cavity" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#4a0f1c"/><stop offset="1" stop-color="#932f3c"/></linearGradient>
<linearGradient id="teeth" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#f3ecee"/><stop offset=".35" stop-color="#ffffff"/>
<stop offset="1" stop-color="#f3eef0"/></linearGradient>
<radialGradient id="tongue" cx=".5" cy=".35" r=".7">
<stop offset="0" stop-color="#f0959a"/><stop offset="1" stop-color="#c9545f"/></radialGradient>
</defs>"""


class MouthShape:
    """Key points of one mouth, in art units around the anchor, y downwards.

    opening: 0 closed .. 1; down to PRESSED the lips press.
    """

    def __init__(self, opening: float, form: float, pucker: float, look: MouthLook) -> None:
        self.look = look
        self.press = max(0.0, opening / PRESSED)
        opening = max(0.0, opening)
        smile, sulk = max(form, 0.0) * (1 - pucker), max(-form, 0.0)
        self.smile = smile
        self.half = (28.5 + 8 * smile - 1.5 * sulk) * (1 - 0.48 * pucker) * (1 - 0.10 * opening)
        self.half *= look.width
        # A broad smile shows the teeth.
        self.grin = _rise(smile, 0.55, 1.0)
        self.height = 33 * opening * (1 - 0.1 * pucker)
        self.corner = (-6.6 * form) * (1 - 0.7 * pucker) + 0.12 * self.height
        self.top = 4.6 * smile - 1.6 * sulk - 0.16 * self.height
        self.bottom = self.top + self.height
        thin = (1 - 0.3 * self.press) * look.thickness
        self.upper_lip = (7.2 - 1.2 * smile + 1.4 * pucker) * (1 - 0.12 * opening) * thin
        self.lower_lip = (9.6 - 1.6 * smile + 1.8 * pucker) * thin
        # How round the corners are: 0.55 is a leaf, 0.95 nearly an ellipse.
        self.round = 0.55 + 0.3 * pucker + 0.14 * min(1.0, opening * 1.5)

    def edge(self, middle: float) -> str:
        """A curve from the left corner to the right one, passing `middle` half way."""
        handle = (middle - 0.25 * self.corner) / 0.75
        x = self.half * self.round
        return f"C {-x:.2f} {handle:.2f} {x:.2f} {handle:.2f} {self.half:.2f} {self.corner:.2f}"

    def edge_back(self, middle: float) -> str:
        """The same from right to left."""
        handle = (middle - 0.25 * self.corner) / 0.75
        x = self.half * self.round
        return f"C {x:.2f} {handle:.2f} {-x:.2f} {handle:.2f} {-self.half:.2f} {self.corner:.2f}"

    def start(self) -> str:
        return f"M {-self.half:.2f} {self.corner:.2f}"


def mouth_svg(opening: float, form: float, pucker: float, look: MouthLook) -> str:
    """The drawing of one mouth; the view box is BOX."""
    shape = MouthShape(opening, form, pucker, look)
    left, top, width, height = BOX
    body = [_upper_lip(shape), _lower_lip(shape), _cavity(shape), _corners(shape)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">'
        f"{_DEFS}{_lip_defs(look)}{''.join(body)}</svg>"
    )


def _lip_defs(look: MouthLook) -> str:
    top, rim = look.upper
    inner, middle, bottom = look.lower
    return (
        '<defs><linearGradient id="upper" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{rim}"/>'
        '</linearGradient><linearGradient id="lower" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{inner}"/><stop offset=".45" stop-color="{middle}"/>'
        f'<stop offset="1" stop-color="{bottom}"/></linearGradient></defs>'
    )


def _upper_lip(shape: MouthShape) -> str:
    outer = shape.half + 2.6
    peak_x, peak_y = 0.27 * shape.half, shape.top - shape.upper_lip - 1.2
    dip = shape.top - shape.upper_lip + 1.0
    corner = shape.corner
    path = (
        f"M {-outer:.2f} {corner:.2f} C {-0.75 * outer:.2f} {corner - 1.5:.2f} "
        f"{-2.1 * peak_x:.2f} {peak_y:.2f} {-peak_x:.2f} {peak_y:.2f} "
        f"C {-0.5 * peak_x:.2f} {peak_y:.2f} {-0.35 * peak_x:.2f} {dip:.2f} 0 {dip:.2f} "
        f"C {0.35 * peak_x:.2f} {dip:.2f} {0.5 * peak_x:.2f} {peak_y:.2f} "
        f"{peak_x:.2f} {peak_y:.2f} C {2.1 * peak_x:.2f} {peak_y:.2f} "
        f"{0.75 * outer:.2f} {corner - 1.5:.2f} {outer:.2f} {corner:.2f} "
        f"L {shape.half:.2f} {corner:.2f} {shape.edge_back(shape.top + 0.6)} Z"
    )
    return f'<path d="{path}" fill="url(#upper)"/>'


def _lower_lip(shape: MouthShape) -> str:
    outer = shape.half + 1.2
    handle = (shape.bottom + shape.lower_lip - 0.25 * shape.corner) / 0.75
    x = 0.62 * outer * (0.9 + 0.25 * shape.round)
    path = (
        f"M {-outer:.2f} {shape.corner:.2f} C {-x:.2f} {handle:.2f} {x:.2f} {handle:.2f} "
        f"{outer:.2f} {shape.corner:.2f} L {shape.half:.2f} {shape.corner:.2f} "
        f"{shape.edge_back(shape.bottom - 0.6)} Z"
    )
    y = shape.bottom + 0.48 * shape.lower_lip
    shine = (
        f'<ellipse cx="-1" cy="{y:.2f}" rx="{0.36 * shape.half:.2f}" '
        f'ry="{1.7 - 0.6 * shape.press:.2f}" fill="#fff3f0" '
        f'opacity="{(0.6 - 0.3 * shape.press) * shape.look.shine:.2f}"/>'
    )
    return f'<path d="{path}" fill="url(#lower)"/>{shine}'


def _cavity(shape: MouthShape) -> str:
    line = f"{shape.start()} {shape.edge(shape.top)}"
    if shape.height < 0.8:
        return (
            f'<path d="{line}" fill="none" stroke="{shape.look.line}" stroke-width="1.7" '
            'stroke-linecap="round"/>'
        )
    inner = f"{line} {shape.edge_back(shape.bottom)} Z"
    teeth = min(9.0, 0.52 * shape.height) * (0.62 + 0.38 * shape.smile)
    teeth += shape.grin * max(0.0, min(13.0, 0.9 * shape.height) - teeth)
    tongue_y = shape.bottom + 0.12 * shape.height
    return (
        f'<clipPath id="inside"><path d="{inner}"/></clipPath>'
        f'<path d="{inner}" fill="url(#cavity)"/><g clip-path="url(#inside)">'
        f'<ellipse cx="0" cy="{tongue_y:.2f}" rx="{0.62 * shape.half:.2f}" '
        f'ry="{0.42 * shape.height:.2f}" fill="url(#tongue)"/>'
        f'<path d="{line} {shape.edge_back(shape.top + teeth)} Z" fill="url(#teeth)"/>'
        f'{_gaps(shape, teeth)}</g><path d="{line}" fill="none" stroke="{shape.look.line}" '
        'stroke-width="1.2" stroke-linecap="round"/>'
    )


def _gaps(shape: MouthShape, teeth: float) -> str:
    """Faint lines between the teeth of a broad smile."""
    if shape.grin < 0.05 or teeth < 3.0:
        return ""
    top, bottom = min(shape.top, shape.corner) - 1, shape.top + teeth - 0.8
    lines = "".join(
        f"M{share * shape.half:.2f} {top:.2f} V{bottom - 7 * share * share:.2f} "
        for share in (-0.66, -0.44, -0.22, 0.0, 0.22, 0.44, 0.66)
    )
    return (
        f'<path d="{lines}" fill="none" stroke="#b9a4ac" stroke-width=".9" '
        f'opacity="{0.45 * shape.grin:.2f}"/>'
    )


def _rise(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _corners(shape: MouthShape) -> str:
    """Soft dimples where a smile ends."""
    if shape.smile < 0.1:
        return ""
    x, y = shape.half + 3.2, shape.corner
    return "".join(
        f'<path d="M {sign * x:.2f} {y - 2.6:.2f} q {sign * 2.2:.2f} 1.5 {sign * 1.6:.2f} 4.2" '
        f'fill="none" stroke="#c9806c" stroke-width="1.4" stroke-linecap="round" '
        f'opacity="{0.5 * shape.smile:.2f}"/>'
        for sign in (-1, 1)
    )
