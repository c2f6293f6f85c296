"""Faces to latents, latents and speech features to faces."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch

from inference.engines.face.musetalk.bundle import LATENTS

Faces = np.ndarray[Any, np.dtype[np.uint8]]

_LONGEST_PERIOD: Final = 10_000.0
# MuseTalk's UNet makes the face in one step: no noise, no scheduler, always time 0.
_TIME: Final = 0
# Of one frame: 10 of Whisper's in 5 layers each.
PROMPT_TOKENS: Final = 50


def encode_positions(length: int, width: int) -> torch.Tensor:
    """Sinusoidal positional encoding, (length, width) float32: a sine, a cosine, a sine …

    Source: Vaswani and others, arXiv 1706.03762, section 3.5.
    """
    position = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2).float() * (-math.log(_LONGEST_PERIOD) / width))
    angles = position * frequency
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class FaceEncoder:
    """Makes what the UNet repaints of faces: their latents without and with the mouth."""

    given_file = LATENTS

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._scale = float(vae.config.scaling_factor)

    def encode(self, faces: Faces, generator: torch.Generator | None = None) -> torch.Tensor:
        """(n, 8, height / 8, width / 8): masked latents, then reference latents.

        faces: (n, height, width, 3) uint8 BGR. Without a generator the most likely latents are
        taken, as in MuseTalk's training; with one they are sampled, as its scripts do.
        """
        colours = torch.from_numpy(faces[..., ::-1].copy()).permute(0, 3, 1, 2)
        # A processor sums channels that lie side by side less exactly: 2e-4 off in the latents.
        pictures = colours.contiguous().float() / 255
        masked = pictures.clone()
        # Before the range becomes -1..1: what is hidden is black, not grey.
        masked[:, :, pictures.shape[2] // 2 :] = 0
        pair = [self._encode(batch, generator) for batch in (masked, pictures)]
        return torch.cat(pair, dim=1)

    def _encode(self, pictures: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        scaled = (pictures * 2 - 1).to(device=self._vae.device, dtype=self._vae.dtype)
        with torch.inference_mode():
            latents = self._vae.encode(scaled).latent_dist
            drawn: torch.Tensor
            drawn = latents.mode() if generator is None else latents.sample(generator)
        return self._scale * drawn


class FaceDecoder:
    """Makes pictures of latents with the full or the distilled decoder."""

    def __init__(self, decode: Callable[[torch.Tensor], torch.Tensor], scale: float) -> None:
        """decode: latents → (n, 3, height, width), -1..1 RGB. scale: it takes latents / scale."""
        self._decode = decode
        self._scale = scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3) uint8 BGR on the device of `latents`, (n, 4, …)."""
        with torch.inference_mode():
            pictures = self._decode(latents / self._scale)
            levels = ((pictures.float() / 2 + 0.5).clamp(0, 1) * 255).round()
            return levels.to(torch.uint8).flip(1).permute(0, 2, 3, 1).contiguous()


class FacePainter:
    """Repaints the mouths of faces: UNet, then decoder."""

    def __init__(self, unet: Any, decoder: FaceDecoder) -> None:
        self._unet = unet
        self._decoder = decoder
        self.device: torch.device = unet.device
        self.dtype: torch.dtype = unet.dtype
        self._time = torch.tensor([_TIME], device=unet.device)
        positions = encode_positions(PROMPT_TOKENS, unet.config.cross_attention_dim)
        self._positions = positions.to(unet.device, unet.dtype)

    def paint(self, latents: torch.Tensor, prompts: torch.Tensor) -> Faces:
        """(n, height, width, 3) uint8 BGR.

        latents: (n, 8, height / 8, width / 8) of a FaceEncoder. prompts: (n, 50, width) of sound.
        """
        return self.paint_on_device(latents, prompts).cpu().numpy()

    def paint_on_device(self, latents: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """As `paint`, and the faces stay where they were painted."""
        return self._decoder.decode(self.paint_latents(latents, prompts))

    def paint_latents(self, latents: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """(n, 4, height / 8, width / 8), scaled."""
        unet = self._unet
        with torch.inference_mode():
            hidden = prompts.to(unet.device, unet.dtype) + self._positions
            given = latents.to(unet.device, unet.dtype)
            made: torch.Tensor = unet(given, self._time, encoder_hidden_states=hidden).sample
        return made
