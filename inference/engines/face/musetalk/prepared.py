"""A film at the size of a show: cut and scaled once, kept in the cache for all runners."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.engines.face.musetalk.bundle import (
    FRAMES,
    IDLE,
    Bundle,
    BundleError,
    Film,
    Numbers,
    Pixels,
    make_film,
)
from inference.media.picture import planes

# Of the code below: another way of cutting gives another name in the cache.
_VERSION: Final = 1
# Where the middle of the face stands in a picture that has to be cut in height.
_FACE_HEIGHT: Final = 0.42
_BLACK_LUMA: Final = 16
_NO_COLOUR: Final = 128
_DAMAGE: Final = (OSError, ValueError, BundleError)


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the source that is shown, even px. It may reach out of it: there it is black."""

    x0: int
    y0: int
    width: int
    height: int


def crop_for(film: Film, width_px: int, height_px: int) -> Crop:
    """The largest part of the shape of the show that holds the face in every picture.

    Where that is impossible (a tall show of a close-up) the whole source, with bars.
    """
    first, last = film.boxes[:, :2].min(axis=0), film.boxes[:, 2:].max(axis=0)
    scale = min(film.width_px / width_px, film.height_px / height_px)
    width = min(film.width_px, round(width_px * scale / 2) * 2)
    height = min(film.height_px, round(height_px * scale / 2) * 2)
    if (last - first > (width, height)).any():
        scale = max(film.width_px / width_px, film.height_px / height_px)
        width, height = round(width_px * scale / 2) * 2, round(height_px * scale / 2) * 2
        x0, y0 = (film.width_px - width) // 4 * 2, (film.height_px - height) // 4 * 2
        return Crop(x0, y0, width, height)
    middle = (first + last) / 2
    x0 = _even(middle[0] - width / 2, first[0], last[0] - width, film.width_px - width)
    y0 = _even(
        middle[1] - height * _FACE_HEIGHT, first[1], last[1] - height, film.height_px - height
    )
    return Crop(x0, y0, width, height)


def open_prepared(bundle: Bundle, width_px: int, height_px: int, cache_folder: Path) -> Film:
    """The film of a bundle at a size, made now unless it is in the cache. Raises BundleError.

    Safe to run in several processes at once; a film that has the size already is used as it is.
    """
    film = bundle.film
    if (film.width_px, film.height_px) == (width_px, height_px):
        return film
    folder = cache_folder / f"film-{bundle.digest}-{width_px}x{height_px}-{_VERSION}"
    try:
        return _open(folder, film.frames.shape[0], width_px, height_px)
    except _DAMAGE:
        _make(film, crop_for(film, width_px, height_px), (width_px, height_px), folder)
    try:
        return _open(folder, film.frames.shape[0], width_px, height_px)
    except _DAMAGE as error:
        raise BundleError(f"its pictures could not be kept in the cache: {error}.") from error


def first_idle_picture(bundle: Bundle, width_px: int, height_px: int) -> Pixels:
    """The picture that the idle clip begins with, at a size: (height * 3 // 2, width) uint8 I420.

    Cut from the bundle alone: some ms, where `open_prepared` scales the whole film first.
    """
    film, clip = bundle.film, bundle.manifest.clip(IDLE)
    frame = film.frames[clip.first if clip is not None else 0]
    if (film.width_px, film.height_px) == (width_px, height_px):
        return np.array(frame)
    return _scaled(frame, crop_for(film, width_px, height_px), (width_px, height_px))


def _open(folder: Path, count: int, width_px: int, height_px: int) -> Film:
    frames = np.memmap(folder / FRAMES, np.uint8, mode="r")
    shaped = frames.reshape(count, height_px * 3 // 2, width_px)
    arrays = [
        np.load(folder / name, mmap_mode="r", allow_pickle=False)
        for name in ("boxes.npy", "rois.npy", "masks.npy")
    ]
    return make_film(shaped, *arrays)


def _make(film: Film, crop: Crop, size: tuple[int, int], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        with (work / FRAMES).open("wb") as file:
            for frame in film.frames:
                file.write(_scaled(frame, crop, size).data)
        boxes, rois, masks = _scaled_geometry(film, crop, size)
        np.save(work / "boxes.npy", boxes)
        np.save(work / "rois.npy", rois)
        np.save(work / "masks.npy", masks)
        work.chmod(0o755)
        _put(work, folder, len(film.frames), size)
    except OSError as error:
        # Another process may have been quicker; whoever opens it next will see.
        if not folder.is_dir():
            raise BundleError(f"its pictures could not be kept in the cache: {error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(work: Path, folder: Path, count: int, size: tuple[int, int]) -> None:
    """One that another process has made meanwhile stays, for it may be opening it; damage goes."""
    if folder.exists():
        try:
            _open(folder, count, *size)
        except _DAMAGE:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return
    os.replace(work, folder)


def _scaled(frame: Pixels, crop: Crop, size: tuple[int, int]) -> Pixels:
    width, height = size
    out = np.empty((height * 3 // 2, width), np.uint8)
    source, target = planes(np.ascontiguousarray(frame)), planes(out)
    is_smaller = width < crop.width
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    for before, after, unit in (
        (source.y, target.y, 1), (source.u, target.u, 2), (source.v, target.v, 2),
    ):  # fmt: skip
        part = _cut(before, crop, unit)
        cv2.resize(part, after.shape[::-1], dst=after, interpolation=how)
    return out


def _cut(plane: Pixels, crop: Crop, unit: int) -> Pixels:
    """The crop of one plane; unit: px of the picture that one of its px covers."""
    x0, y0 = crop.x0 // unit, crop.y0 // unit
    x1, y1 = x0 + crop.width // unit, y0 + crop.height // unit
    height, width = plane.shape
    inside = plane[max(0, y0) : y1, max(0, x0) : x1]
    bars = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if not any(bars):
        return inside
    black = _BLACK_LUMA if unit == 1 else _NO_COLOUR
    return np.asarray(cv2.copyMakeBorder(inside, *bars, cv2.BORDER_CONSTANT, value=black), np.uint8)


def _scaled_geometry(
    film: Film, crop: Crop, size: tuple[int, int]
) -> tuple[Numbers, Numbers, Pixels]:
    width, height = size
    scale = np.array([width / crop.width, height / crop.height] * 2)
    origin = np.array([crop.x0, crop.y0] * 2)
    boxes = np.rint((film.boxes - origin) * scale).astype(np.int32)
    limits = np.array([width, height] * 2, np.int32)
    boxes = np.clip(boxes, 0, limits)
    # Outwards to even px; the mask has room for its scaled edge.
    rois = (film.rois - origin) * scale
    rois[:, :2] = np.floor(rois[:, :2] / 2) * 2
    rois[:, 2:] = np.ceil(rois[:, 2:] / 2) * 2
    rois = np.clip(rois, 0, limits).astype(np.int32)
    masks = [_scaled_mask(film, index, rois[index], origin, scale) for index in range(len(rois))]
    return boxes, rois, np.concatenate([mask.reshape(-1) for mask in masks])


def _scaled_mask(
    film: Film, index: int, roi: Numbers, origin: np.ndarray, scale: np.ndarray
) -> Pixels:
    """The mask of a frame where its ROI lies now: bilinear, zero outside of what it was."""
    x0, y0, x1, y1 = roi.tolist()
    source_x, source_y = ((film.rois[index] - origin) * scale)[:2]
    # Pixel centres: target + 0.5 = (source + 0.5) * scale + offset.
    matrix = np.array(
        [
            [scale[0], 0, source_x - x0 + 0.5 * scale[0] - 0.5],
            [0, scale[1], source_y - y0 + 0.5 * scale[1] - 0.5],
        ]
    )
    mask = np.ascontiguousarray(film.mask(index))
    return np.asarray(cv2.warpAffine(mask, matrix, (x1 - x0, y1 - y0)), np.uint8)


def _even(wanted: float, at_most: float, at_least: float, highest: int) -> int:
    """An even place near the wanted one that leaves the face inside, and the picture filled."""
    inside = min(max(wanted, at_least), at_most)
    return int(min(max(inside, 0), highest)) // 2 * 2
