"""Write avatar_reference.npz: which frame of a film MuseTalk's own code shows when.

    python -m tests.inference.face.musetalk.make_avatar_reference CHECKOUT [OUT [FOLDER]]

CHECKOUT: github.com/TMElyralab/MuseTalk at 0a89dec45a0192b824e3cf4daf96c239440c5ed8. The `Avatar`
of its scripts/realtime_inference.py prepares a film of pictures and pastes faces into it; stood in
for are the networks, which give numbered latents, and the search for faces. FOLDER is made: what
it wrote of a film of COUNT frames, `tmp` with the pictures that it showed.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import glob
import json
import os
import pickle
import queue
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import cv2
import numpy as np
import torch
from PIL import Image

from tests.inference.face.musetalk.foreign import BOXES, COUNT, latents, picture
from tests.inference.face.musetalk.make_paste_reference import picture as smooth
from tests.inference.face.musetalk.make_paste_reference import region

COUNTS: Final = (1, 2, 7)
# More than there and back, so that the way begins anew.
SHOWN: Final = 2 * COUNT + 3
MARGIN_PX: Final = 10


def face(position: int) -> np.ndarray[Any, Any]:
    """(64, 64, 3) uint8 BGR: what a network might paint for a moment."""
    return smooth(64, 64, position)


def definitions(path: Path, names: dict[str, Any]) -> dict[str, Any]:
    """What a file defines, without its imports and decorators."""
    kept = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    for node in kept:
        node.decorator_list = []
    exec(compile(ast.Module(list(kept), []), path.name, "exec"), names)  # noqa: S102 - a checkout
    return names


def prepare(checkout: Path, folder: Path, count: int) -> Any:
    """Their avatar of `count` pictures, under `folder`."""
    film = folder / "film"
    film.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(film / f"{number:08d}.png"), picture(number))
    numbers = iter(range(count))
    names = definitions(
        checkout / "musetalk/utils/blending.py", {"Image": Image, "np": np, "cv2": cv2}
    )
    names |= {
        "args": SimpleNamespace(version="v15", extra_margin=MARGIN_PX, parsing_mode="jaw"),
        "os": os, "json": json, "glob": glob, "shutil": shutil, "torch": torch, "pickle": pickle,
        "time": time, "queue": queue, "copy": copy, "sys": sys, "tqdm": iter,
        "get_landmark_and_bbox": lambda paths, shift: (
            [above_margin(number) for number in range(len(paths))],
            [cv2.imread(path) for path in paths],
        ),
        "vae": SimpleNamespace(get_latents_for_unet=lambda _: latents(next(numbers))),
        "fp": lambda image, mode: Image.fromarray(region(image.size[0])),
    }  # fmt: skip
    avatar = definitions(checkout / "scripts/realtime_inference.py", names)["Avatar"]
    with contextlib.chdir(folder):
        return avatar("mei", str(film), 0, 4, preparation=True)


def above_margin(number: int) -> tuple[int, int, int, int]:
    """The box of BOXES before their margin is added to it."""
    x0, y0, x1, y1 = BOXES[number % COUNT]
    return x0, y0, x1, y1 - MARGIN_PX


def order(checkout: Path, avatar: Any, count: int) -> np.ndarray[Any, Any]:
    """Which film frame's latents go with each moment's sound, as their `datagen` takes them."""
    given = [latents(number) for number in range(count)]
    cut = definitions(checkout / "musetalk/utils/utils.py", {
        "torch": torch, "Union": Any, "List": list, "os": os, "np": np,
    })["datagen"]  # fmt: skip
    sounds = [torch.zeros(1)] * (5 * count)
    found = [
        next(number for number in range(count) if torch.equal(given[number][0], taken))
        for _, batch in cut(sounds, avatar.input_latent_list_cycle, 4, device="cpu")
        for taken in batch
    ]
    return np.array(found, np.int16)


def show(avatar: Any, folder: Path) -> None:
    """Let it paste a face into the film for SHOWN moments, into its folder `tmp`."""
    faces: queue.Queue[Any] = queue.Queue()
    for position in range(SHOWN):
        faces.put(face(position))
    with contextlib.chdir(folder):
        (folder / avatar.avatar_path / "tmp").mkdir()
        # It stops one before the number that it is told.
        avatar.process_frames(faces, SHOWN + 1, False)


def main(name: str, out: str = "", kept: str = "") -> None:
    checkout = Path(name).resolve()
    arrays = {}
    with tempfile.TemporaryDirectory() as scrap, contextlib.redirect_stdout(sys.stderr):
        for count in COUNTS:
            avatar = prepare(checkout, Path(scrap) / str(count), count)
            arrays[f"order_{count}"] = order(checkout, avatar, count)
        if kept:
            avatar = prepare(checkout, Path(scrap) / "kept", COUNT)
            show(avatar, Path(scrap) / "kept")
            shutil.copytree(Path(scrap) / "kept" / avatar.avatar_path, kept)
    target = Path(out) if out else Path(__file__).with_name("avatar_reference.npz")
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
