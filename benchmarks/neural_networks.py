"""MuseTalk's networks in their official sizes with random weights, for measurements of speed alone.

Sizes: `musetalk.json` of MuseTalk 1.5, `config.json` of sd-vae-ft-mse, Whisper tiny. What they
paint is noise, and their activations are not those of trained weights.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from whisper.model import AudioEncoder

from inference.engines.face.musetalk.engine import FACE_PX
from inference.engines.face.musetalk.faces import FaceDecoder, FacePainter
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.passes import BUCKETS
from inference.engines.face.musetalk.speech_features import SpeechFeatures
from inference.engines.face.musetalk.tiny import UNET, VAE
from inference.gpu.musetalk import MuseTalkPainter

FULL_UNET: Final = {
    **UNET,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 384,
    "layers_per_block": 2,
    "norm_num_groups": 32,
}
FULL_VAE: Final = {
    **VAE,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "sample_size": FACE_PX,
}
WHISPER_TINY: Final = (80, 1500, 384, 6, 4)


def make_random(decoder: str, device: str, dtype: torch.dtype) -> Networks:
    """decoder: kl or tiny."""
    torch.manual_seed(1)
    with torch.device(device):
        unet = _ready(UNet2DConditionModel(**FULL_UNET), dtype, device)
        # Its weights stay in fp32, as they do on air.
        features = SpeechFeatures(AudioEncoder(*WHISPER_TINY).eval(), "v1.5", dtype)
        if decoder == "kl":
            vae = _ready(AutoencoderKL.from_config(FULL_VAE), dtype, device)
            shown = FaceDecoder(lambda given: vae.decode(given).sample, vae.config.scaling_factor)
        else:
            shown = FaceDecoder(_ready(AutoencoderTiny().decoder, dtype, device), 1.0)
    return Networks(features, FacePainter(unet, shown))


def open_random(
    decoder: str, device: str, max_bucket: int | None, graphs: bool | None
) -> MuseTalkPainter:
    """What the server paints with."""
    torch.backends.cudnn.benchmark = True
    dtype = torch.float16 if device == "cuda" else torch.float32
    largest = max_bucket or (BUCKETS[-1] if device == "cuda" else 1)
    buckets = tuple(size for size in BUCKETS if size <= largest)
    return MuseTalkPainter(make_random(decoder, device, dtype), FACE_PX, buckets, graphs)


def _ready(network: Any, dtype: torch.dtype, device: str) -> Any:
    network = network.requires_grad_(requires_grad=False).eval().to(device, dtype)
    return network.to(memory_format=torch.channels_last) if device == "cuda" else network
