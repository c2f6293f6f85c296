"""Make a bundle of one photo: points → checks → the line between the lips → what may move."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.engines.base import Json
from inference.engines.face.musetalk.building import Footage, Report
from inference.engines.face.musetalk.bundle import (
    IDLE,
    POINTS,
    Clip,
    Manifest,
    Numbers,
    Pixels,
    make_film,
    write_manifest,
)
from inference.engines.face.musetalk.geometry import Points
from inference.engines.face.musetalk.landmarks import points_of_frames, read_landmarks
from inference.engines.face.portrait.checks import check_photo, not_a_photo
from inference.engines.face.portrait.outline import person_hold
from inference.engines.face.portrait.seam import find_seam

VERSION: Final = "1"
# Around the points, of the face's width: what a show must keep, and what may move.
_HEAD: Final = (0.30, 0.75, 0.30, 0.25)
_MOVED: Final = (0.50, 0.70, 0.50, 0.80)


def build_bundle(
    folder: Path, footage: Footage, engine: str, settings: Json, options: Json, report: Report
) -> Manifest:
    """Write a bundle into `folder`, where frames.i420 lies already. Raises EngineError."""
    frames = footage.frames
    height, width = frames.shape[1] * 2 // 3, frames.shape[2]
    report(20, "landmarks", "")
    points, notes = _judged(footage)
    report(45, "lips", "")
    picture = np.asarray(cv2.cvtColor(np.array(frames[0]), cv2.COLOR_YUV2BGR_I420), np.uint8)
    points = find_seam(picture, points)
    report(55, "masks", "")
    _write(folder, frames, picture, points)
    manifest = Manifest(
        engine=engine, version=VERSION, width_px=width, height_px=height, frames=1,
        frame_rate=footage.frame_rate, face_px=0, latent_px=0, clips=(Clip(IDLE, 0, 1),),
        options=options, notes=tuple(notes),
    )  # fmt: skip
    write_manifest(folder, manifest)
    return manifest


def check_upload(
    footage: Footage | None, landmarks: Path | None, settings: Json, options: Json
) -> None:
    """What `build_bundle` would refuse. footage: of a photo; None: it is a film."""
    if footage is None:
        raise not_a_photo()
    _judged(footage)


def _judged(footage: Footage) -> tuple[Points, list[str]]:
    """(68, 2) points of the photo, and notes on what weakens it. Raises EngineError."""
    frames = footage.frames
    height, width = frames.shape[1] * 2 // 3, frames.shape[2]
    looks = read_landmarks(footage.landmarks)
    points = points_of_frames(looks, len(frames), footage.frame_rate, (width, height)).points[0]
    return points, check_photo(frames, points, _around(points, (0.0,) * 4, width, height))


def _write(folder: Path, frames: Pixels, picture: Pixels, points: Points) -> None:
    height, width = picture.shape[:2]
    boxes = _around(points, _HEAD, width, height)
    rois = _around(points, _MOVED, width, height) // 2 * 2
    x0, y0, x1, y1 = rois[0].tolist()
    masks = np.ascontiguousarray(person_hold(picture, points)[y0:y1, x0:x1]).reshape(-1)
    make_film(frames, boxes, rois, masks)
    np.save(folder / "boxes.npy", boxes)
    np.save(folder / "rois.npy", rois)
    np.save(folder / "masks.npy", masks)
    np.save(folder / POINTS, points[None].astype(np.float32))


def _around(points: Points, margins: tuple[float, ...], width_px: int, height_px: int) -> Numbers:
    """(1, 4) int32: the box of the points and margins left, top, right, bottom, of its width."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    size = right - left
    box = (
        max(0, left - margins[0] * size), max(0, top - margins[1] * size),
        min(width_px, right + margins[2] * size), min(height_px, bottom + margins[3] * size),
    )  # fmt: skip
    return np.array([box], np.int32)
