"""Patches with alpha, blended into I420 pictures, and the times at which they show."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from inference.media.picture import Planes, planes
from inference.media.ring import Picture

Rgba = np.ndarray[Any, np.dtype[np.uint8]]
Covered = tuple[Picture, ...]

LAYERS: Final = ("title", "caption", "label")  # later ones lie above
_KEPT_PER_LAYER: Final = 32


@dataclass(frozen=True, slots=True)
class _Part:
    """One plane of a patch: what is added, and how much of the picture stays (0..255)."""

    colour: Picture
    stays: Picture


@dataclass(frozen=True, slots=True)
class OverlayPatch:
    """A drawn rectangle ready to be blended. x_px, y_px: even, of its top left corner."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    parts: tuple[_Part, _Part, _Part]

    def paste(self, target: Planes) -> Covered:
        """Blend it into a picture that it fits into; what was there before, for `uncover`."""
        covered = []
        for region, part in zip(self._regions(target), self.parts, strict=True):
            covered.append(region.copy())
            kept = cv2.multiply(region, part.stays, scale=1 / 255)
            cv2.add(kept, part.colour, dst=region)
        return tuple(covered)

    def uncover(self, target: Planes, covered: Covered) -> None:
        """Undo a `paste`; several are undone in reverse order."""
        for region, before in zip(self._regions(target), covered, strict=True):
            np.copyto(region, before)

    def _regions(self, target: Planes) -> tuple[Picture, Picture, Picture]:
        rows = slice(self.y_px, self.y_px + self.height_px)
        columns = slice(self.x_px, self.x_px + self.width_px)
        half_rows = slice(rows.start // 2, rows.stop // 2)
        half_columns = slice(columns.start // 2, columns.stop // 2)
        return (
            target.y[rows, columns],
            target.u[half_rows, half_columns],
            target.v[half_rows, half_columns],
        )


def make_patch(image: Rgba, x_px: int, y_px: int) -> OverlayPatch:
    """Turn a drawing into a patch. image: (h, w, 4) uint8 RGBA, straight alpha, even sides.

    Raises ValueError for odd sides or positions: chroma has half the resolution.
    """
    height, width = image.shape[:2]
    if (height | width | x_px | y_px) & 1 or x_px < 0 or y_px < 0:
        raise ValueError("an overlay needs even sides and an even position")
    colour = np.asarray(cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2YUV_I420), np.uint8)
    alpha = np.ascontiguousarray(image[..., 3])
    smaller = cv2.resize(alpha, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    half = np.asarray(smaller, np.uint8)
    source = planes(colour)
    parts = (_part(source.y, alpha), _part(source.u, half), _part(source.v, half))
    return OverlayPatch(x_px, y_px, width, height, parts)


def _part(colour: Picture, alpha: Picture) -> _Part:
    weighted = cv2.multiply(colour, alpha, scale=1 / 255)
    return _Part(np.asarray(weighted, np.uint8), 255 - alpha)


@dataclass(frozen=True, slots=True)
class TimedOverlay:
    """When a patch shows: from_sample <= pts < until_sample (None: until it is replaced), and only
    while `generation` is the current one (None: in any). owner: whom `drop` takes it away by."""

    patch: OverlayPatch
    from_sample: int = 0
    until_sample: int | None = None
    generation: int | None = None
    owner: str = ""

    def shows(self, pts: int, generation: int) -> bool:
        if self.generation is not None and self.generation != generation:
            return False
        return self.from_sample <= pts and (self.until_sample is None or pts < self.until_sample)


class OverlayStack:
    """The layers over the picture. Thread-safe.

    capacity: 32 timed patches a layer; overflow: the oldest goes, uncounted: it had its time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._layers: dict[str, tuple[TimedOverlay, ...]] = dict.fromkeys(LAYERS, ())

    def put(self, layer: str, overlay: TimedOverlay) -> None:
        """Show a patch at its time; of several due in a layer, the one put last shows."""
        with self._lock:
            self._layers[layer] = (*self._layers[layer], overlay)[-_KEPT_PER_LAYER:]

    def drop(self, layer: str, owner: str) -> None:
        """Take away what somebody put."""
        with self._lock:
            self._layers[layer] = tuple(o for o in self._layers[layer] if o.owner != owner)

    def clear(self, layer: str) -> None:
        """Show nothing in a layer."""
        with self._lock:
            self._layers[layer] = ()

    def due(self, pts: int, generation: int) -> list[OverlayPatch]:
        """What is to be pasted over the picture of `pts`, lowest first."""
        found = []
        for layer in LAYERS:
            shown = [o for o in self._layers[layer] if o.shows(pts, generation)]
            if shown:
                found.append(shown[-1].patch)
        return found
