"""A MuseTalk of small networks with weights by formula: for tests and measurements only.

It paints nothing that looks like a mouth. It has every part of the real one, so a whole broadcast
can be tested without weights and without a GPU; it is refused unless TEST_ENGINES=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from whisper.model import AudioEncoder

from inference.engines.base import EngineError, FaceSetup, Json, Picture
from inference.engines.face.musetalk import engine
from inference.engines.face.musetalk.engine import MuseTalkEngine, bundle_of, own_settings
from inference.engines.face.musetalk.faces import FaceDecoder, FaceEncoder, FacePainter
from inference.engines.face.musetalk.local import LocalRenderer
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.speech_features import SpeechFeatures

ENGINE: Final = "musetalk_tiny"
WIDTH: Final = 16
FACE_PX: Final = 64
GIVEN_FILE: Final = engine.GIVEN_FILE
LATENT_PX: Final = FACE_PX // 8
UNET: Final = {
    "_diffusers_version": "0.6.0.dev0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [16, 32, 64, 64],
    "center_input_sample": False,
    "cross_attention_dim": WIDTH,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 8,
    "layers_per_block": 1,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 8,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
VAE: Final = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.4.2",
    "act_fn": "silu",
    "block_out_channels": [8, 16, 16, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "out_channels": 3,
    "sample_size": FACE_PX,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
# n_mels, n_ctx, n_state, n_head, n_layer.
WHISPER: Final = (80, 1500, WIDTH, 2, 4)


def by_formula(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that need no random generator: the same with every version of PyTorch."""
    state = {}
    for number, (name, value) in enumerate(sorted(network.state_dict().items())):
        if name == "positional_embedding":
            state[name] = value.clone()
            continue
        wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + number)
        scale = 1.5 / (value[0].numel() ** 0.5) if value.dim() > 1 else 0.1
        is_norm = value.dim() == 1 and name.endswith("weight")
        state[name] = (is_norm + scale * wave).float().reshape(value.shape)
    return state


def make_networks(device: str = "cpu") -> Networks:
    """For a show. Raises EngineError unless TEST_ENGINES=1."""
    vae = _made(AutoencoderKL.from_config(VAE), device)
    unet = _made(UNet2DConditionModel(**UNET), device)
    features = SpeechFeatures(_made(AudioEncoder(*WHISPER), device), "v1.5", torch.float32)
    decoder = FaceDecoder(lambda latents: vae.decode(latents).sample, vae.config.scaling_factor)
    return Networks(features, FacePainter(unet, decoder))


def load_encoder(settings: Json) -> tuple[FaceEncoder, int]:
    """For building an avatar: the encoder and the px of its faces. Raises EngineError as above."""
    device = own_settings(settings).resolve_device(has_cuda=torch.cuda.is_available())
    return FaceEncoder(_made(AutoencoderKL.from_config(VAE), device)), FACE_PX


def create_engine(setup: FaceSetup) -> MuseTalkEngine:
    """A presenter whose mouth is noise. Raises EngineError unless TEST_ENGINES=1."""
    bundle = bundle_of(setup.settings, ENGINE)
    if engine.is_served(setup.settings):
        return engine.open_served(setup, bundle)
    device = own_settings(setup.settings).resolve_device(has_cuda=torch.cuda.is_available())
    torch.set_num_threads(1)
    renderer = LocalRenderer(make_networks(device), bundle.latents, setup.frame_samples)
    return engine.open_engine(setup, bundle, renderer)


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """The film itself, which needs no networks."""
    return engine.create_idle_painter(setup, ENGINE)


def _made(network: Any, device: str) -> Any:
    if os.environ.get("TEST_ENGINES") != "1":
        raise EngineError(
            "test_engines_off",
            "The small MuseTalk is offered only with TEST_ENGINES=1.",
            retryable=False,
        )
    network.load_state_dict(by_formula(network))
    return network.requires_grad_(requires_grad=False).eval().to(device)
