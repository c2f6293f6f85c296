"""Hands and forearms as vector art: one SVG for each arm of a gesture.

A hand is drawn upright around its wrist, the thumb to the right, its palm towards the viewer; then
it is turned onto a forearm, and the forearm stands where the gesture wants it. All of it is the arm
on the left of the picture; the other one is its mirror image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# x, y and radius of a point of a limb, in art units.
Joint = tuple[float, float, float]

# From the wrist down to the elbow, which lies below the picture.
FOREARM: Final = 285.0
# The middle of the heart that two hands make, from the wrist of `heart_hand`.
HEART: Final = (100.0, -82.0)
_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Skin:
    """Colours of a hand, from light to the lines between fingers."""

    light: str
    base: str
    shade: str
    line: str
    blush: str


@dataclass(frozen=True, slots=True)
class Sleeve:
    """Colours of a sleeve: its lit side, its middle, its dark side, its lines, and the cuff."""

    light: str
    base: str
    shade: str
    line: str
    cuff: str


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand around its wrist. outlines: parts that flow into one another; details lie on them.

    behind: what lies under them.
    """

    outlines: tuple[str, ...]
    details: str
    behind: str = ""


def open_hand(skin: Skin, spread: float) -> Hand:
    """A flat palm; spread: 1 for a wave, less for fingers that lie closer."""
    fingers = [
        (-28.0, -74.0, -17 * spread, 56.0, 9.6), (-11.0, -84.0, -6.5 * spread, 74.0, 10.8),
        (9.0, -87.0, 2.5 * spread, 81.0, 11.2), (28.0, -79.0, 12 * spread, 70.0, 10.9),
    ]  # fmt: skip
    thumb = _limb([(20, -22, 20), (42, -42, 15.5), (56, -64, 11.8), (62, -90, 9.0)])
    details = [_glow(*_along(x, y, angle, 0.9 * length)) for x, y, angle, length, _ in fingers]
    details += [_creases(x, y, angle, length, skin) for x, y, angle, length, _ in fingers]
    details += [
        _glow(60, -84), _glow(24, -32, 26), _glow(-22, -34, 22),
        _stroke("M40 -58 C22 -56 8 -44 6 -22 C5 -12 9 -4 12 2", skin, 0.8),
        _stroke("M-36 -56 C-20 -60 -2 -62 14 -76", skin, 0.7),
        _stroke("M39 -60 C20 -60 0 -48 -22 -38", skin, 0.55),
    ]  # fmt: skip
    outlines = [*(_finger(*finger) for finger in fingers), thumb, _PALM]
    return Hand(tuple(outlines), "".join(details))


def pointing_hand(skin: Skin) -> Hand:
    """The index finger stretched, the others curled into the palm, the thumb beside them."""
    index = _limb([(24, -70, 13.5), (27, -100, 12.2), (28, -132, 11.2), (27, -166, 9.0)])
    thumb = _limb([(22, -20, 19), (42, -42, 15), (50, -66, 12.2), (44, -92, 10.2)])
    curled = [
        _limb([(-30, -84, 10.4), (-31, -70, 10.8), (-27, -52, 9.6)]),
        _limb([(-13, -92, 11.8), (-14, -74, 12.2), (-10, -52, 10.4)]),
        _limb([(7, -95, 12.4), (6, -76, 12.8), (9, -54, 11.0)]),
    ]
    details = [
        _glow(27, -162),
        *(_silhouette(skin, [finger]) for finger in curled),
        *(_glow(x, y, 11) for x, y in ((-27, -53), (-10, -54), (9, -56))),
        _silhouette(skin, [thumb]),
        # The thumb grows out of the palm: no line around its root.
        '<circle cx="20" cy="-19" r="19" fill="url(#flesh)"/>'
        '<path d="M2 -24 L24 0 L38 -24 L24 -40 Z" fill="url(#flesh)"/>',
        _glow(45, -88), _glow(24, -26, 24),
        _stroke("M16 -98 C18 -92 19 -84 19 -74", skin, 0.7),
        _stroke("M21 -128 C24 -126 32 -126 36 -128", skin, 0.6),
    ]  # fmt: skip
    return Hand((index, thumb, _PALM), "".join(details))


def heart_hand(skin: Skin) -> Hand:
    """Half a heart: the fingers bow over to its middle, which lies at HEART, the thumb below."""
    x, y = HEART

    def limb(*joints: Joint, shift: tuple[float, float] = (0.0, 0.0)) -> str:
        return _limb([(a + x + shift[0], b + y + shift[1], r) for a, b, r in joints])

    bow = ((-80, -18, 15.5), (-68, -58, 14.5), (-40, -80, 13.5), (-13, -66, 11.5), (-5, -44, 9.0))
    back = limb((-100, 84, 23), (-100, 52, 28), (-90, 14, 28), (-80, -16, 22))
    thumb = limb((-94, -4, 20), (-70, 17, 16), (-36, 47, 12.5), (-5, 72, 9))
    behind = [limb(*bow[:4], shift=shift) for shift in ((-15, -19), (-10, -13), (-5, -7))]
    index = limb(*bow)
    details = [
        _glow(x - 8, y - 52), _glow(x - 10, y + 68), _glow(x - 88, y + 20, 26),
        _stroke(f"M{x - 54} {y - 78} q5 5 5 12", skin, 0.6),
        _stroke(f"M{x - 38} {y + 36} q-6 4 -8 12", skin, 0.6),
    ]  # fmt: skip
    fingers = "".join(_silhouette(skin, [finger]) for finger in behind)
    return Hand((index, thumb, back), "".join(details), fingers)


def arm(hand: Hand, sleeve: Sleeve, *, skin: Skin, wrist: float) -> str:
    """A forearm upright with its wrist at 0, 0, and a hand turned by `wrist` degrees on it."""
    angle = math.radians(wrist)
    joints = [
        (y * math.sin(angle), y * math.cos(angle), r) for y, r in ((-18, 21), (2, 22), (26, 23))
    ]
    joint = _limb([*joints, (70 * math.sin(angle), 70 * math.cos(angle), 27.0)])
    return (
        f'<g><g transform="rotate({wrist:.2f})">{hand.behind}'
        f"{_silhouette(skin, [joint, *hand.outlines])}{hand.details}</g>"
        f'<path d="{_CUFF}" fill="{sleeve.cuff}"/><path d="{_SLEEVE}" fill="url(#sleeve)"/>'
        f'<path d="{_FOLDS}" fill="none" stroke="{sleeve.line}" stroke-width="2.5" opacity=".4" '
        'stroke-linecap="round"/></g>'
    )


def sleeve_defs(skin: Skin, sleeve: Sleeve, *, is_mirrored: bool) -> str:
    """The gradients that `arm` and the hands refer to; light comes from the left either way."""
    lit, dark = (52, -50) if is_mirrored else (-50, 52)
    return (
        f'<defs><linearGradient id="sleeve" gradientUnits="userSpaceOnUse" x1="{lit}" y1="0" '
        f'x2="{dark}" y2="0"><stop offset="0" stop-color="{sleeve.base}"/>'
        f'<stop offset=".3" stop-color="{sleeve.light}"/>'
        f'<stop offset="1" stop-color="{sleeve.shade}"/></linearGradient>'
        '<linearGradient id="flesh" gradientUnits="userSpaceOnUse" x1="-44" y1="-150" '
        f'x2="60" y2="30"><stop offset="0" stop-color="{skin.light}"/>'
        f'<stop offset=".6" stop-color="{skin.base}"/>'
        f'<stop offset="1" stop-color="{skin.shade}"/></linearGradient>'
        '<radialGradient id="blush" cx=".5" cy=".5" r=".5">'
        f'<stop offset="0" stop-color="{skin.blush}" stop-opacity=".34"/>'
        f'<stop offset="1" stop-color="{skin.blush}" stop-opacity="0"/></radialGradient></defs>'
    )


_PALM: Final = (
    "M-21 2 C-27 -14 -40 -34 -40 -62 C-40 -80 -30 -88 -18 -94 C-4 -100 14 -99 26 -92 "
    "C38 -86 41 -74 40 -60 C39 -46 40 -40 38 -28 C35 -12 26 -6 21 2 C10 10 -10 10 -21 2 Z"
)
_CUFF: Final = "M-33 34 C-14 26 14 26 33 34 L37 66 C14 58 -14 58 -37 66 Z"
_SLEEVE: Final = (
    "M-39 50 C-16 41 16 41 39 50 C46 120 54 230 58 440 C20 452 -20 452 -58 440 "
    "C-54 230 -46 120 -39 50 Z"
)
_FOLDS: Final = (
    "M-40 66 C-16 57 16 57 40 66 M-46 190 C-30 178 -14 176 -4 180 M48 230 C30 214 18 212 8 216"
)


def _finger(x: float, y: float, degrees: float, length: float, radius: float) -> str:
    """A straight finger from its knuckle, leaning to the right by `degrees`."""
    shares = ((-0.15, 1.04), (0.3, 1.0), (0.62, 0.96), (1.0, 0.78))
    joints = [(*_along(x, y, degrees, share * length), radius * size) for share, size in shares]
    return _limb(joints)


def _along(x: float, y: float, degrees: float, reach: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return x + reach * math.sin(angle), y - reach * math.cos(angle)


def _limb(joints: Sequence[Joint]) -> str:
    """The outline of a round limb through its joints, as path data."""
    line = _curve(joints)
    left, right = [], []
    for index, (x, y, radius) in enumerate(line):
        before, after = line[max(0, index - 1)], line[min(len(line) - 1, index + 1)]
        angle = math.atan2(after[1] - before[1], after[0] - before[0])
        left.append((x + radius * math.sin(angle), y - radius * math.cos(angle)))
        right.append((x - radius * math.sin(angle), y + radius * math.cos(angle)))
    tip, root = line[-1][2], line[0][2]
    points = " L".join(f"{x:.2f} {y:.2f}" for x, y in left)
    back = " L".join(f"{x:.2f} {y:.2f}" for x, y in reversed(right))
    end, start = right[-1], left[0]
    return (
        f"M{points} A{tip:.2f} {tip:.2f} 0 0 1 {end[0]:.2f} {end[1]:.2f} L{back} "
        f"A{root:.2f} {root:.2f} 0 0 1 {start[0]:.2f} {start[1]:.2f} Z"
    )


def _curve(joints: Sequence[Joint]) -> list[Joint]:
    """A Catmull-Rom curve through the joints, radii included."""
    padded = [joints[0], *joints, joints[-1]]
    points: list[Joint] = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(_STEPS):
            t = step / _STEPS
            x, y, radius = (_spline(a[i], b[i], c[i], d[i], t) for i in range(3))
            points.append((x, y, radius))
    return [*points, joints[-1]]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )


def _silhouette(skin: Skin, outlines: Sequence[str]) -> str:
    """Parts that flow into one another: a line around all of them, none between."""
    lines = "".join(
        f'<path d="{path}" fill="none" stroke="{skin.line}" stroke-width="2.4" '
        'stroke-linejoin="round"/>'
        for path in outlines
    )
    return lines + "".join(f'<path d="{path}" fill="url(#flesh)"/>' for path in outlines)


def _glow(x: float, y: float, radius: float = 12.0) -> str:
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius}" fill="url(#blush)"/>'


def _creases(x: float, y: float, degrees: float, length: float, skin: Skin) -> str:
    """The two lines across a finger."""
    marks = []
    for share in (0.33, 0.62):
        at_x, at_y = _along(x, y, degrees, share * length)
        marks.append(
            f'<path d="M-6 1 Q0 3 6 1" transform="translate({at_x:.2f} {at_y:.2f}) '
            f'rotate({degrees:.2f})" fill="none" stroke="{skin.line}" stroke-width="1.4" '
            'stroke-linecap="round" opacity=".6"/>'
        )
    return "".join(marks)


def _stroke(path: str, skin: Skin, opacity: float) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{skin.line}" stroke-width="1.8" '
        f'stroke-linecap="round" opacity="{opacity}"/>'
    )
