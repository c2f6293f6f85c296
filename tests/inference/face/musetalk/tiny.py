"""Small networks of MuseTalk's kind, with weights by formula, written as the official files are."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from whisper.model import AudioEncoder

from inference.engines.face.musetalk.tiny import FACE_PX, UNET, VAE, WIDTH, by_formula
from inference.engines.face.musetalk.weights import PARTS
from inference.engines.weights import WeightsPart

# Of the reference.
CLIP_SECONDS = (0.5, 1.0, 3.37, 30.5, 65.0)
# MuseTalk 1.5 slides its window when frames are longer than 40 ms, so it is not compared at 15.
RATES = (25, 30)
V1_RATES = (25, 30, 15)
SEED = 7

WHISPER = {
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "d_model": WIDTH,
    "encoder_attention_heads": 2,
    "encoder_layers": 4,
    "encoder_ffn_dim": 4 * WIDTH,
}
WHISPER_OPENAI = {
    "n_mels": 80,
    "n_audio_ctx": 1500,
    "n_audio_state": WIDTH,
    "n_audio_head": 2,
    "n_audio_layer": 4,
}
HUGGING_FACE_NAMES = {
    "blocks.": "layers.",
    "attn.query.": "self_attn.q_proj.",
    "attn.key.": "self_attn.k_proj.",
    "attn.value.": "self_attn.v_proj.",
    "attn.out.": "self_attn.out_proj.",
    "attn_ln.": "self_attn_layer_norm.",
    "mlp_ln.": "final_layer_norm.",
    "mlp.0.": "fc1.",
    "mlp.2.": "fc2.",
    "ln_post.": "layer_norm.",
    "positional_embedding": "embed_positions.weight",
}
OLD_VAE_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def unpublished(parts: tuple[WeightsPart, ...] = PARTS) -> tuple[WeightsPart, ...]:
    """`parts` without published hashes: ours are small."""
    return tuple(
        dataclasses.replace(
            part,
            choices=tuple(
                tuple(dataclasses.replace(file, sha256=None) for file in choice)
                for choice in part.choices
            ),
        )
        for part in parts
    )


@cache
def _states() -> dict[str, dict[str, torch.Tensor]]:
    return {
        "unet": by_formula(UNet2DConditionModel(**UNET)),
        "vae": by_formula(AutoencoderKL.from_config(VAE)),
        "whisper": by_formula(AudioEncoder(80, 1500, WIDTH, 2, 4)),
        "taesd": by_formula(AutoencoderTiny().decoder),
    }


def unet_state() -> dict[str, torch.Tensor]:
    return dict(_states()["unet"])


def vae_state() -> dict[str, torch.Tensor]:
    return dict(_states()["vae"])


def whisper_state() -> dict[str, torch.Tensor]:
    return dict(_states()["whisper"])


def write_unet(folder: Path, name: str = "musetalkV15/unet.pth", prefix: str = "") -> Path:
    """A plain state dict beside musetalk.json."""
    path = _file(folder, name)
    torch.save(prefixed(unet_state(), prefix), path)
    path.with_name("musetalk.json").write_text(json.dumps(UNET))
    return path


def write_vae(folder: Path, name: str = "sd-vae/diffusion_pytorch_model.bin") -> Path:
    """With the names of 2022, as the official .bin has them; safetensors with today's."""
    path = _file(folder, name)
    state = vae_state()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({_old_vae_name(key): value for key, value in state.items()}, path)
    path.with_name("config.json").write_text(json.dumps(VAE))
    return path


def write_whisper(
    folder: Path, name: str = "whisper/pytorch_model.bin", prefix: str = "model."
) -> Path:
    """Hugging Face's file with config.json, or OpenAI's tiny.pt; both hold a decoder as well."""
    path = _file(folder, name)
    if path.suffix == ".pt":
        state = prefixed(whisper_state(), "encoder.") | {"decoder.ln.weight": torch.ones(WIDTH)}
        torch.save({"dims": WHISPER_OPENAI, "model_state_dict": state}, path)
        return path
    state = hugging_face_whisper_state(prefix)
    path.with_name("config.json").write_text(json.dumps(WHISPER))
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def hugging_face_whisper_state(prefix: str) -> dict[str, torch.Tensor]:
    state = prefixed(_renamed(whisper_state(), HUGGING_FACE_NAMES), f"{prefix}encoder.")
    return state | {f"{prefix}decoder.layer_norm.weight": torch.ones(WIDTH)}


def write_taesd(folder: Path, *, in_diffusers_names: bool = False) -> Path:
    """Layers counted with the clamp as layer 0, as the official file has them."""
    path = _file(folder, "taesd/taesd_decoder.safetensors")
    state = _states()["taesd"]
    if in_diffusers_names:
        save_file(prefixed(state, "decoder."), path)
        return path
    shifted = {}
    for name, value in state.items():
        _, number, rest = name.split(".", 2)
        shifted[f"{int(number) + 1}.{rest}"] = value
    save_file(shifted, path)
    return path


def write_all(folder: Path) -> None:
    """Every part, under its first official name."""
    write_unet(folder)
    write_unet(folder, "musetalk/pytorch_model.bin")
    write_vae(folder)
    write_whisper(folder)
    write_taesd(folder)


def face(size_px: int = FACE_PX) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture with gradients and edges: (size, size, 3) uint8 BGR."""
    y, x = np.mgrid[0:size_px, 0:size_px] * (FACE_PX / size_px)
    rings = 127 + 100 * np.sin(np.hypot(x - 30, y - 36) / 3)
    return np.stack([rings, 4 * x, 255 - 4 * y], axis=2).round().clip(0, 255).astype(np.uint8)


def sound(seconds: float = 1.3) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A chirp with pauses, as speech has them: float32 mono at 16 kHz."""
    at = np.arange(round(seconds * 16_000)) / 16_000
    is_loud = np.sin(2 * np.pi * 2.5 * at) > -0.3
    return (0.4 * is_loud * np.sin(2 * np.pi * (200 * at + 300 * at**2))).astype(np.float32)


def prompts(count: int) -> torch.Tensor:
    """(count, 50, WIDTH)"""
    wave = torch.sin(torch.arange(count * 50 * WIDTH, dtype=torch.float64) * 0.37)
    return wave.float().reshape(count, 50, WIDTH)


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


def _renamed(state: dict[str, torch.Tensor], names: dict[str, str]) -> dict[str, torch.Tensor]:
    renamed = {}
    for key, value in state.items():
        name = key
        for ours, theirs in names.items():
            if name.startswith(ours):
                name = theirs + name.removeprefix(ours)
            name = name.replace(f".{ours}", f".{theirs}")
        renamed[name] = value
    return renamed


def _old_vae_name(name: str) -> str:
    for today, old in OLD_VAE_NAMES.items():
        if ".attentions." in name:
            name = name.replace(f".{today}.", f".{old}.")
    return name


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
