"""A legal test portrait: the project's own drawn presenter as a film, with its face points."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from inference.engines.base import FaceSetup
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.idle import loop_pose
from inference.engines.face.puppet.rig import Placement, load_rig, place

STAGE = (1280, 720)
# The part of the stage that is filmed: head and shoulders.
LEFT, TOP, WIDTH, HEIGHT = 320, 0, 640, 480


@cache
def pictures(count: int = 8) -> np.ndarray[Any, Any]:
    """(count, HEIGHT * 3 // 2, WIDTH) I420 of one idle loop."""
    with tempfile.TemporaryDirectory() as folder:
        setup = FaceSetup(*STAGE, 1920, "full", "studio", {"character": "lin"}, folder)
        compositor = Compositor(load_art(setup))
    stage = np.empty((STAGE[1] * 3 // 2, STAGE[0]), np.uint8)
    made = []
    for number in range(count):
        # The first tenth of the loop: the head moves a little, the eyes are open.
        compositor.draw(loop_pose(0.1 * number / count), stage)
        image = cv2.cvtColor(stage, cv2.COLOR_YUV2BGR_I420)[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
        made.append(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2YUV_I420))
    return np.stack(made)


@cache
def points() -> np.ndarray[Any, Any]:
    """(68, 2) px in the filmed part, from the rig that the presenter is drawn by."""
    rig = load_rig("lin")
    placement = place(rig, *STAGE, "full")
    x, y = rig.face_middle
    radius_x, radius_y = rig.face_radius
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)
    brows = [_line(rig.anchors[name], 25, 5) for name in ("brow_left", "brow_right")]
    nose = [(x, y + 10 + 12 * k) for k in range(4)] + [(x - 16 + 8 * k, y + 58) for k in range(5)]
    eyes = [_ring(rig.anchors[name], 20, 9, 6) for name in ("eye_left", "eye_right")]
    mouth = rig.anchors["mouth"]
    lips = [_ring(mouth, 28, 9, 12), _ring(mouth, 22, 0.5, 8)]
    whole = np.concatenate([jaw, *brows, np.array(nose), *eyes, *lips])
    return _in_px(whole, placement).astype(np.float32)


def write_film(path: Path, *, frames: int = 50, rate: int = 25, sound: bool = False) -> Path:
    """An H.264 film of the portrait, to and fro."""
    loop = pictures()
    with av.open(str(path), "w") as film:
        video: Any = film.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = 4_000_000
        for number in range(frames):
            turn = number % (2 * len(loop))
            picture = loop[turn if turn < len(loop) else 2 * len(loop) - 1 - turn]
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
    return path


def write_photo(path: Path) -> Path:
    """The first picture as a PNG."""
    cv2.imwrite(str(path), cv2.cvtColor(pictures()[0], cv2.COLOR_YUV2BGR_I420))
    return path


def landmarks(seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    """The document that a browser would post: points five times a second."""
    faces = [[[round(float(x), 1), round(float(y), 1)] for x, y in points()]]
    looks = [{"at_seconds": k / 5, "faces": faces} for k in range(int(seconds * 5) + 1)]
    return {"width_px": WIDTH, "height_px": HEIGHT, "frames": looks, **changes}


def write_landmarks(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(landmarks(**changes)))
    return path


def _line(middle: tuple[float, float], half: float, count: int) -> np.ndarray[Any, Any]:
    xs = np.linspace(middle[0] - half, middle[0] + half, count)
    return np.stack([xs, np.full(count, middle[1])], axis=1)


def _ring(
    middle: tuple[float, float], half_width: float, half_height: float, count: int
) -> np.ndarray[Any, Any]:
    """Points round a middle from its left end on, clockwise, as eyes and lips are counted."""
    angles = np.pi + np.arange(count) * 2 * np.pi / count
    xs = middle[0] + half_width * np.cos(angles)
    return np.stack([xs, middle[1] + half_height * np.sin(angles)], axis=1)


def _in_px(points: np.ndarray[Any, Any], placement: Placement) -> np.ndarray[Any, Any]:
    at = points * placement.scale + np.array([placement.left_px, placement.top_px])
    return at - np.array([LEFT, TOP])
