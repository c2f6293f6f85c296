"""A presenter who was filmed once, and how far each picture on air is from that film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rtmp_reader import Recorded, SeenPicture
from inference.engines.face.musetalk.bundle import Film
from tests.inference.face.musetalk import portrait
from tests.live.site import wait_until
from tests.live.studio import Studio

FRAMES = 25
BLOCK_MS = 20
LOUD = 0.01
# Mean grey levels of the mouth between a picture and the film: coding costs 1, stripes 20 and more.
UNTOUCHED, PAINTED = 4.0, 8.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The mouth of one decoded picture: its time in the stream, its distance from the film."""

    pts_ms: int
    distance: float


class Watcher:
    """Looks at the mouth of each picture and how far it is from every frame of the film."""

    def __init__(self, film: Film) -> None:
        (x0, y0), (x1, y1) = film.rois[:, :2].min(axis=0), film.rois[:, 2:].max(axis=0)
        self._part = np.s_[y0:y1, x0:x1]
        self._film = film.frames[:, y0:y1, x0:x1].astype(np.float32)
        self.seen: list[Seen] = []

    def see(self, frame: Any, picture: SeenPicture) -> None:
        plane = frame.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[self._part]
        distance = np.abs(self._film - luma).mean(axis=(1, 2)).min()
        self.seen.append(Seen(picture.pts_ms, float(distance)))


def loud_ms(recorded: Recorded) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Times in the stream of the 20 ms in which something is heard."""
    times = []
    for block in list(recorded.blocks):
        count = len(block.samples) // (48 * BLOCK_MS)
        parts = block.samples[: count * 48 * BLOCK_MS].reshape(count, -1)
        levels = np.sqrt((parts**2).mean(axis=1)) if count else np.zeros(0)
        times += [block.pts_ms + number * BLOCK_MS for number in np.flatnonzero(levels > LOUD)]
    return np.array(times, np.float64)


def build(studio: Studio, folder: Path) -> tuple[str, Path]:
    """Upload the drawn presenter as a film and wait for the real job: avatar and its bundle."""
    platform = studio.platform
    film = portrait.write_film(folder / "film.mp4", frames=FRAMES)
    points = portrait.write_landmarks(folder / "points.json")
    avatar = platform.upload_film("musetalk_tiny", film, points)

    def finished() -> Any:
        row = platform.call("GET", f"avatars/{avatar}/builds/")["results"][0]
        assert row["state"] in ("queued", "building", "ready"), row
        return row if row["state"] == "ready" else None

    version = wait_until(finished, "the presenter is built", seconds=180)
    assert version["facts"]["frames"] == FRAMES
    return avatar, studio.site.folder / "bundles" / avatar / version["id"]
