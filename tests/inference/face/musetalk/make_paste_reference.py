"""Makes paste_reference.npz: boxes, masks and pasted pictures by MuseTalk's own code.

    python -m tests.inference.face.musetalk.make_paste_reference PATH-TO-A-MUSETALK-CHECKOUT

It needs Pillow, OpenCV and numpy alone: the functions that find faces are stood in for by given
points, the network that tells skin by a given region. Nothing of MuseTalk is kept but its results.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
from PIL import Image

SHIFTS = (0, -7, 9)
BOX = (101, 87, 332, 349)
# Reaches out of the picture at the bottom, as faces near the edge do.
LOW_BOX = (40, 201, 271, 400)
PICTURE_PX = (480, 400)


def points(count: int = 6) -> np.ndarray[Any, Any]:
    """(count, 68, 2) of faces of several sizes and places, some half outside."""
    rng = np.random.default_rng(3)
    faces = rng.uniform(0, 1, (count, 68, 2)) * (180, 240) + rng.uniform(-20, 200, (count, 1, 2))
    faces[:, 29] = faces.mean(axis=1)
    return faces.astype(np.float32)


def region(side: int) -> np.ndarray[Any, Any]:
    """Where the face is, as a network might say: (side, side) uint8."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    return np.where((x * 1.4) ** 2 + (y * 1.1) ** 2 < 0.16, 255, 0).astype(np.uint8)


def picture(width: int, height: int, seed: int) -> np.ndarray[Any, Any]:
    """(height, width, 3) uint8 BGR: smooth, with noise, so that rounding shows."""
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.uniform(0, 255, (6, 6, 3)), (width, height), interpolation=1)
    return (smooth + rng.uniform(-6, 6, smooth.shape)).clip(0, 255).astype(np.uint8)


def boxes(checkout: Path, shift: int) -> np.ndarray[Any, Any]:
    """What `get_landmark_and_bbox` makes of the points; (0, 0, 0, 0) where it gives up."""
    tree = ast.parse((checkout / "musetalk/utils/preprocessing.py").read_text())
    wanted = [n for n in tree.body if getattr(n, "name", "") == "get_landmark_and_bbox"]
    faces = iter(points())
    nobody = np.full((23, 2), 1.0)

    def look(*_: Any) -> Any:
        keypoints = np.concatenate([nobody, next(faces), nobody])[None]
        return SimpleNamespace(pred_instances=SimpleNamespace(keypoints=keypoints))

    names: dict[str, Any] = {
        "np": np, "tqdm": list, "model": None, "coord_placeholder": (0, 0, 0, 0),
        "read_imgs": list, "inference_topdown": look, "merge_data_samples": lambda seen: seen,
        "fa": SimpleNamespace(get_detections_for_batch=lambda batch: [(0, 0, 0, 0)]),
    }  # fmt: skip
    exec(compile(ast.Module(wanted, []), "preprocessing", "exec"), names)  # noqa: S102 - a checkout
    found, _ = names["get_landmark_and_bbox"](list(np.zeros((6, 4, 4))), shift)
    return np.array(found, np.int32)


def main(name: str, out: str = "") -> None:
    checkout = Path(name)
    blending = ModuleType("blending")
    source = (checkout / "musetalk/utils/blending.py").read_text()
    exec(compile(source, "blending", "exec"), blending.__dict__)  # noqa: S102 - a checkout
    arrays = {f"boxes_{shift}": boxes(checkout, shift) for shift in SHIFTS}
    width, height = PICTURE_PX
    body = picture(width, height, 1)
    for label, box in (("whole", BOX), ("low", LOW_BOX)):

        def skin(image: Image.Image, mode: str = "raw") -> Image.Image:
            return Image.fromarray(region(image.size[0]))

        mask, crop = blending.get_image_prepare_material(body, box, fp=skin)
        face = picture(box[2] - box[0], box[3] - box[1], 2)
        arrays |= {
            f"crop_{label}": np.array(crop), f"mask_{label}": mask,
            f"pasted_{label}": blending.get_image_blending(body, face, box, mask, crop)[::3, ::3],
            # Of a script that is given all the sound beforehand: the mask is made less soft.
            f"offline_{label}": blending.get_image(body, face, box, fp=skin)[::3, ::3],
        }  # fmt: skip
    np.savez_compressed(
        Path(out) if out else Path(__file__).with_name("paste_reference.npz"), **arrays
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
