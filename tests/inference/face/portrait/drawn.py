"""A photo to test with: the project's own drawn presenter, neutral, and where its features are.

`lin.jpg` is what `python -m tests.inference.face.portrait.drawn` wrote: baking the art at this size
takes longer than all tests of the photo.
"""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inference.engines.base import FaceSetup, Json
from inference.engines.face.musetalk.building import Footage
from inference.engines.face.portrait.building import build_bundle
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.eyes import _INNER, _OUTER, EyeShape
from inference.engines.face.puppet.mouth import MouthShape
from inference.engines.face.puppet.parameters import rest_pose
from inference.engines.face.puppet.rig import load_rig, place

Points = np.ndarray[Any, np.dtype[Any]]

STAGE = (1920, 1080)
PHOTO = Path(__file__).with_name("lin.jpg")
FORM = 0.1
EYE_SMILE = 0.12


@cache
def photo() -> np.ndarray[Any, Any]:
    """(1080, 1920, 3) BGR: the whole stage, lips closed, eyes open, straight ahead."""
    return np.asarray(cv2.imread(str(PHOTO)))


def draw_photo(character: str = "lin", stage: tuple[int, int] = STAGE) -> np.ndarray[Any, Any]:
    """The same, drawn now."""
    with tempfile.TemporaryDirectory() as folder:
        setup = FaceSetup(*stage, 1920, "full", "studio", {"character": character}, folder)
        compositor = Compositor(load_art(setup))
    picture = np.empty((stage[1] * 3 // 2, stage[0]), np.uint8)
    compositor.draw({**rest_pose(), "ParamMouthForm": FORM}, picture)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420))


@cache
def points(character: str = "lin", stage: tuple[int, int] = STAGE) -> Points:
    """(68, 2) px, from the rig and the curves by which the presenter is drawn."""
    rig = load_rig(character)
    placement = place(rig, *stage, "full")
    x, y = rig.face_middle
    # The oval of the rig is that of the whole head; its chin is above its end.
    radius_x, radius_y = 0.84 * rig.face_radius[0], 0.915 * rig.face_radius[1]
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)
    brows = [_level(rig.anchors[name], 28) for name in ("brow_left", "brow_right")]
    nose = [(x, y + 10 + 14 * k) for k in range(4)] + [(x - 14 + 7 * k, y + 60) for k in range(5)]
    eye = _eye(EyeShape(1.0, EYE_SMILE, rig.eyes))
    mirrored = (eye * (-1, 1))[[3, 2, 1, 0, 5, 4]]
    lips = _lips(MouthShape(0.0, FORM, 0.0, rig.mouth)) + rig.anchors["mouth"]
    eyes = eye + rig.anchors["eye_left"], mirrored + rig.anchors["eye_right"]
    whole = np.concatenate([jaw, *brows, np.array(nose), *eyes, lips])
    at = whole * placement.scale + np.array([placement.left_px, placement.top_px])
    return at.astype(np.float32)


def landmarks(size: tuple[int, int], *faces: Points) -> Json:
    """The document that is posted with a photo."""
    looks = [{"at_seconds": 0.0, "faces": [face.round(1).tolist() for face in faces]}]
    return {"width_px": size[0], "height_px": size[1], "frames": looks}


def build(
    folder: Path,
    *,
    picture: np.ndarray[Any, Any] | None = None,
    faces: tuple[Points, ...] | None = None,
    frames: int = 1,
) -> Path:
    """A bundle of the drawn photo, or of another picture and points."""
    image = photo() if picture is None else picture
    height, width = image.shape[:2]
    i420 = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))
    folder.mkdir(parents=True, exist_ok=True)
    shown = np.stack([i420] * frames)
    (folder / "frames.i420").write_bytes(shown.tobytes())
    path = folder / "landmarks.json"
    path.write_text(
        json.dumps(landmarks((width, height), *((points(),) if faces is None else faces)))
    )
    build_bundle(folder, Footage(shown, 25, path), "portrait", {}, {}, lambda *told: None)
    path.unlink()
    return folder


def _level(middle: tuple[float, float], half: float) -> Points:
    xs = np.linspace(middle[0] - half, middle[0] + half, 5)
    return np.stack([xs, np.full(5, middle[1])], axis=1)


def _eye(shape: EyeShape) -> Points:
    """Six points: above from the outer corner to the inner one, below back."""
    above = ((-20, shape.upper - 1), (15, shape.upper - 1))
    below = ((15, shape.lower), (-17, shape.lower + 1))
    return np.concatenate(
        [_bezier(_OUTER, *above, _INNER, 4), _bezier(_INNER, *below, _OUTER, 4)[1:3]]
    )


def _lips(shape: MouthShape) -> Points:
    """Twelve points around the lips, eight where they meet."""
    left, right = (-shape.half - 1.5, shape.corner), (shape.half + 1.5, shape.corner)
    x = shape.half * shape.round
    meet = (shape.top - 0.25 * shape.corner) / 0.75
    inner = _bezier(left, (-x, meet), (x, meet), right, 9)
    top, bottom = shape.top - shape.upper_lip, shape.bottom + shape.lower_lip
    upper = _bezier(left, (-x, 1.3 * top), (x, 1.3 * top), right, 7)
    lower = _bezier(right, (x, 1.3 * bottom), (-x, 1.3 * bottom), left, 7)[1:6]
    return np.concatenate([upper, lower, inner[[1, 2, 4, 6, 7]], inner[[6, 4, 2]]])


def _bezier(
    first: tuple[float, float],
    one: tuple[float, float],
    two: tuple[float, float],
    last: tuple[float, float],
    count: int,
) -> Points:
    at = np.linspace(0, 1, count)[:, None]
    ends = (1 - at) ** 3 * np.array(first) + at**3 * np.array(last)
    return ends + 3 * at * (1 - at) * ((1 - at) * np.array(one) + at * np.array(two))


if __name__ == "__main__":
    cv2.imwrite(str(PHOTO), draw_photo(), [cv2.IMWRITE_JPEG_QUALITY, 92])
