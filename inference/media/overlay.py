"""Patches with alpha, blended into I420 pictures, and the times at which they show."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np

from inference.media.picture import Planes, planes
from inference.media.ring import Picture

Rgba = np.ndarray[Any, np.dtype[np.uint8]]
Covered = tuple[Picture, ...]

# Later ones lie above: nothing ever covers the AI label.
LAYERS: Final = (
    "title", "lower_third", "leaving_card", "card", "caption", "logo", "clock", "label",
)  # fmt: skip
_KEPT_PER_LAYER: Final = 32


@dataclass(frozen=True, slots=True)
class _Part:
    """One plane of a patch: what is added, and how much of the picture stays (0..255)."""

    colour: Picture
    stays: Picture

    def faded(self, share: float) -> _Part:
        colour = cv2.convertScaleAbs(self.colour, alpha=share)
        # 255 - (255 - stays) * share, in one pass.
        stays = cv2.convertScaleAbs(self.stays, alpha=share, beta=255 * (1 - share))
        return _Part(np.asarray(colour, np.uint8), np.asarray(stays, np.uint8))


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
            before = region.copy()
            covered.append(before)
            cv2.multiply(before, part.stays, dst=region, scale=1 / 255)
            cv2.add(region, part.colour, dst=region)
        return tuple(covered)

    def uncover(self, target: Planes, covered: Covered) -> None:
        """Undo a `paste`; several are undone in reverse order."""
        for region, before in zip(self._regions(target), covered, strict=True):
            np.copyto(region, before)

    def moved(self, dy_px: int) -> OverlayPatch:
        """The same patch lower (or higher) by an even number of px, not above the picture."""
        return replace(self, y_px=max(0, self.y_px + (dy_px & ~1)))

    def faded(self, share: float) -> OverlayPatch:
        """The same patch with its alpha times `share` (0..1)."""
        first, second, third = (part.faded(share) for part in self.parts)
        return replace(self, parts=(first, second, third))

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

    def ending(self, at_sample: int) -> TimedOverlay:
        """The same one, no longer than until `at_sample`."""
        until = at_sample if self.until_sample is None else min(self.until_sample, at_sample)
        return replace(self, until_sample=until)

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

    def end(self, layer: str, at_sample: int) -> None:
        """Show nothing of what is in a layer from `at_sample` on."""
        with self._lock:
            kept = (o for o in self._layers[layer] if o.from_sample < at_sample)
            self._layers[layer] = tuple(o.ending(at_sample) for o in kept)

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
