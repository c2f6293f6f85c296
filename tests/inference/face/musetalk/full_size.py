"""MuseTalk's networks in their official sizes, weights of noise, as the official files are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from benchmarks.neural_networks import FULL_UNET, FULL_VAE
from inference.engines.face.musetalk.engine import FACE_PX
from inference.engines.face.musetalk.faces import PROMPT_TOKENS
from tests.inference.face.musetalk import tiny

WIDTH = 384
# Every so many px of the painted face are kept: all its values of a channel would be 64 kB.
STRIDE = 5


def write(folder: Path) -> None:
    """UNet and autoencoder, 3.7 GB, one after the other in memory."""
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**FULL_UNET), AutoencoderKL.from_config(FULL_VAE)
    for network, config, name in (
        (unet, FULL_UNET, "musetalkV15/unet.pth"),
        (vae, FULL_VAE, "sd-vae/diffusion_pytorch_model.bin"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True)
        torch.save(of_noise(network), path)
        config_name = "musetalk.json" if path.suffix == ".pth" else "config.json"
        path.with_name(config_name).write_text(json.dumps(config))


def of_noise(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that need no random generator, of a size that keeps what goes through them.

    The waves of `tiny.by_formula` cancel out over a thousand channels: the sound would do nothing.
    """
    state = {}
    for number, (name, value) in enumerate(sorted(network.state_dict().items())):
        noise = torch.from_numpy(_noise(value.numel(), number)).reshape(value.shape)
        if value.dim() > 1:
            state[name] = noise * value[0].numel() ** -0.5
        else:
            state[name] = 0.1 * noise + float(name.endswith("weight"))
    return state


def _noise(count: int, number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(count,) of mean 0 and spread 1, another for each number. Source: splitmix64."""
    at = np.arange(count, dtype=np.uint64) + np.uint64(number << 32)
    at *= np.uint64(0x9E3779B97F4A7C15)
    at = (at ^ (at >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    at = (at ^ (at >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    shares = ((at ^ (at >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / 2**24
    return (shares - np.float32(0.5)) * np.float32(12**0.5)


def face() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(256, 256, 3) uint8 BGR."""
    return tiny.face(FACE_PX)


def prompt() -> torch.Tensor:
    """(1, 50, 384): of the size of Whisper's features."""
    wave = torch.sin(torch.arange(PROMPT_TOKENS * WIDTH, dtype=torch.float64) * 0.37)
    return wave.float().reshape(1, PROMPT_TOKENS, WIDTH)
