"""Makes mask_reference.npz: regions and labels by MuseTalk's own face parsing.

    python -m tests.inference.face.musetalk.make_mask_reference PATH-TO-A-MUSETALK-CHECKOUT

Its network is given weights by formula, its masks labels by formula. Nothing of MuseTalk is kept
but its results.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

SIDE = 300
CHEEKS = {"v1": 80, "v1.5": 90}


def labels() -> np.ndarray[Any, Any]:
    """(512, 512) classes as a face has them: skin, nose, lips, mouth, neck, ragged at the edges."""
    y, x = np.mgrid[0:512, 0:512]
    ragged = 8 * np.sin(x / 7) + 6 * np.cos(y / 11)
    found = np.zeros((512, 512), np.uint8)
    found[(np.abs(x - 250) < 90) & (y > 380)] = 14
    found[((x - 256) / 150) ** 2 + ((y - 240 + ragged) / 190) ** 2 < 1] = 1
    found[((x - 256) / 40) ** 2 + ((y - 230) / 60) ** 2 < 1] = 10
    for value, top in ((12, 330), (11, 345), (13, 360)):
        found[(np.abs(x - 256) < 60) & (np.abs(y - top) < 9)] = value
    return found


def parser_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that need no random generator."""
    state = {}
    for number, (name, value) in enumerate(sorted(network.state_dict().items())):
        wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + number)
        if name.endswith("num_batches_tracked"):
            state[name] = value.clone()
            continue
        is_scale = name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight"))
        scale = 1.5 / (value[0].numel() ** 0.5) if value.dim() > 1 else 0.1
        state[name] = (is_scale + scale * wave).float().reshape(value.shape)
    return state


def picture() -> torch.Tensor:
    """(1, 3, 96, 96)"""
    wave = torch.sin(torch.arange(3 * 96 * 96, dtype=torch.float64) * 0.013)
    return wave.float().reshape(1, 3, 96, 96)


def _classes(path: Path, names: dict[str, Any]) -> dict[str, Any]:
    tree = ast.parse(path.read_text())
    kept = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    exec(compile(ast.Module(kept, []), path.name, "exec"), names)  # noqa: S102 - a checkout
    return names


def main(name: str, out: str = "") -> None:
    folder = Path(name) / "musetalk/utils/face_parsing"
    common: dict[str, Any] = {
        "torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": np, "cv2": cv2,
        "Image": Image, "os": ModuleType("os"), "transforms": SimpleNamespace(),
    }  # fmt: skip
    resnet = _classes(folder / "resnet.py", dict(common))["Resnet18"]
    resnet.init_weight = lambda *_: None
    bisenet = _classes(folder / "model.py", {**common, "Resnet18": resnet})["BiSeNet"]
    network = bisenet().eval()
    network.load_state_dict(parser_state(network))
    with torch.no_grad():
        made = network(picture())[0]
    arrays = {
        "network": made[0, :, ::5, ::5].numpy(),
        "keys": np.array(sorted(network.state_dict())),
    }

    parsing = _classes(folder / "__init__.py", {**common, "BiSeNet": None})["FaceParsing"]
    parsing.model_init = lambda self: (
        lambda image: (
            torch.nn.functional.one_hot(torch.from_numpy(labels().astype(np.int64)), 19)
            .permute(2, 0, 1)[None, None]
            .float()
        )
    )
    parsing.image_preprocess = lambda self: lambda image: torch.zeros(3, 512, 512)
    blank = Image.new("RGB", (SIDE, SIDE))
    for version, cheeks in CHEEKS.items():
        parser = parsing(cheeks, cheeks)
        for mode in ("raw", "neck", "jaw"):
            made = parser(blank, mode=mode).resize((SIDE, SIDE))
            arrays[f"{mode}_{version}"] = np.asarray(made)
    np.savez_compressed(
        Path(out) if out else Path(__file__).with_name("mask_reference.npz"), **arrays
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
