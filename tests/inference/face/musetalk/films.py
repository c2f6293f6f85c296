"""Small films and renderers for tests of the session: cheap to draw, exact to check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.engines.face.musetalk import geometry
from inference.engines.face.musetalk.bundle import Clip, Film, Manifest, make_film, write_manifest

WIDTH, HEIGHT, FACE_PX, LATENT_PX = 160, 120, 16, 2
BOX = (41, 20, 119, 100)
GREEN = (30, 200, 60)


def make_frames(count: int) -> np.ndarray[Any, Any]:
    """(count, HEIGHT * 3 // 2, WIDTH) I420; the luma of frame n is 40 + 4n."""
    frames = np.full((count, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    frames[:, :HEIGHT] = (40 + 4 * np.arange(count)).astype(np.uint8)[:, None, None]
    return frames


def small_film(count: int = 10) -> Film:
    """All frames with the same box and a mask that is full in its middle."""
    side = geometry.crop_box(BOX)[2] - geometry.crop_box(BOX)[0]
    soft = geometry.soft_mask(np.full((side, side), 255, np.uint8), BOX)
    roi, mask = geometry.roi_of_mask(soft, BOX, WIDTH, HEIGHT)
    boxes, rois = (np.array([each] * count, np.int32) for each in (BOX, roi))
    return make_film(make_frames(count), boxes, rois, np.tile(mask.reshape(-1), count))


def manifest(count: int = 10, *clips: Clip, rate: int = 25, idle: int | None = None) -> Manifest:
    return Manifest(
        engine="musetalk_tiny", version="v1.5", width_px=WIDTH, height_px=HEIGHT, frames=count,
        frame_rate=rate, face_px=FACE_PX, latent_px=LATENT_PX,
        clips=(Clip("idle", 0, idle or count), *clips),
    )  # fmt: skip


def write_bundle(folder: Path, count: int = 10) -> Path:
    """The small film as a bundle on disk."""
    folder.mkdir()
    film = small_film(count)
    (folder / "frames.i420").write_bytes(film.frames.tobytes())
    np.save(folder / "boxes.npy", film.boxes)
    np.save(folder / "rois.npy", film.rois)
    np.save(folder / "masks.npy", film.masks)
    np.save(folder / "latents.npy", np.zeros((count, 8, LATENT_PX, LATENT_PX), np.float16))
    write_manifest(folder, manifest(count))
    return folder


class GreenRenderer:
    """Paints every face green and remembers what it was asked; its features are sums of tokens.

    Token n of a sound is its mean level, as if Whisper were an ear and no more.
    """

    def __init__(self, batch_frames: int = 1) -> None:
        self.batch_frames = batch_frames
        self.painted: list[tuple[int, Any]] = []
        self.heard: list[tuple[np.ndarray[Any, Any], int, range]] = []

    def features(self, sound: Any, first_token: int, frames: range) -> Any:
        self.heard.append((sound, first_token, frames))
        return [(frame, float(np.abs(sound).sum())) for frame in frames]

    def paint(self, indexes: Sequence[int], features: Sequence[Any]) -> Any:
        self.painted += zip(indexes, features, strict=True)
        return np.tile(np.array(GREEN, np.uint8), (len(indexes), FACE_PX, FACE_PX, 1))

    def warm_up(self) -> None: ...

    def close(self) -> None: ...
