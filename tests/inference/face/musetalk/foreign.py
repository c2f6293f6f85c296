"""Avatar folders as MuseTalk and LiveTalking write them, small ones, and zips of folders."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from inference.engines.face.musetalk import geometry

COUNT, WIDTH, HEIGHT, SIDE = 5, 161, 121, 8
BOXES = [(40 + n, 20, 118 + n, 100) for n in range(COUNT)]


def picture(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(HEIGHT, WIDTH, 3) BGR, another one for each number; odd sides, as cameras give them."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x, 2 * y, np.full_like(x, 30 * number)], axis=2).astype(np.uint8)


def mask(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """In the crop box of BOXES[number]."""
    crop = geometry.crop_box(BOXES[number])
    side = crop[2] - crop[0]
    return geometry.soft_mask(np.full((side, side), 255, np.uint8), BOXES[number])


def latents(number: int) -> torch.Tensor:
    """(1, 8, SIDE, SIDE) as the networks of tests have them."""
    return torch.linspace(-2 + number, 2, 8 * SIDE * SIDE).reshape(1, 8, SIDE, SIDE).half()


def write_folder(folder: Path, *, there_and_back: bool, numpy: bool = False) -> Path:
    """MuseTalk keeps lists there and back, LiveTalking once. numpy: boxes of its numbers."""
    order = [*range(COUNT), *reversed(range(COUNT))] if there_and_back else list(range(COUNT))
    for name in ("full_imgs", "mask", "vid_output"):
        (folder / name).mkdir(parents=True)
    for at, number in enumerate(order):
        cv2.imwrite(str(folder / "full_imgs" / f"{at:08d}.png"), picture(number))
        cv2.imwrite(str(folder / "mask" / f"{at:08d}.png"), mask(number))
    boxes: list[Any] = [BOXES[number] for number in order]
    if numpy:
        # As min and max of an array of points give them: one tuple of scalars, one array, one list.
        boxes = [tuple(np.int32(v) for v in box) for box in boxes]
        boxes[1], boxes[2] = np.array(boxes[1], np.int64), list(boxes[2])
        boxes[-2] = boxes[1] if there_and_back else boxes[-2]
    crops = [list(geometry.crop_box(BOXES[number])) for number in order]
    (folder / "coords.pkl").write_bytes(pickle.dumps(boxes))
    (folder / "mask_coords.pkl").write_bytes(pickle.dumps(crops))
    torch.save([latents(number) for number in order], folder / "latents.pt")
    info = {"avatar_id": "mei", "video_path": "/home/mei/me.mp4", "bbox_shift": 0}
    version = {"version": "v15"} if there_and_back else {}
    (folder / "avator_info.json").write_text(json.dumps(info | version))
    return folder


def zipped(folder: Path, path: Path, *, inside: str = "") -> Path:
    """A zip of a folder's files. inside: the name of a folder that they lie in."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(inside) / file.relative_to(folder))
    return path
