"""Renders in this process: the networks of one broadcast on one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from inference.engines.face.musetalk.bundle import Latents, Pixels
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.soundtrack import Sound
from inference.engines.face.musetalk.windows import cut_prompts

# On a GPU one frame costs as many launches as four; a processor gains nothing.
_BATCH_FRAMES: Final = {"cuda": 4, "cpu": 1}


class LocalRenderer:
    """`Renderer` for one avatar. latents: (n, 8, height, width) of its bundle."""

    def __init__(self, networks: Networks, latents: Latents, frame_samples: int) -> None:
        self._networks = networks
        self._frame_samples = frame_samples
        device = networks.features.device
        # 16 kB a frame: all of them fit beside the networks, and stay where they are needed.
        self._latents = torch.from_numpy(np.array(latents)).to(device)
        self.batch_frames = _BATCH_FRAMES[device.type]

    def features(self, sound: Sound, first_token: int, frames: range) -> torch.Tensor:
        """(frames, 10 * layers, width)"""
        heard = self._networks.features
        tokens = heard.encode(sound)
        return cut_prompts(tokens, first_token, frames, self._frame_samples, heard.version)

    def paint(self, indexes: Sequence[int], features: Sequence[torch.Tensor]) -> Pixels:
        """(n, size, size, 3) uint8 BGR."""
        return self._networks.painter.paint(
            self._latents[list(indexes)], torch.stack(list(features))
        )

    def warm_up(self) -> None:
        """Pay for first calls before anybody is on air."""
        silence = np.zeros(16_000, np.float32)
        made = self.features(silence, 0, range(self.batch_frames))
        for count in {1, self.batch_frames}:
            self.paint([0] * count, [made[0]] * count)

    def close(self) -> None:
        """Free the device's memory."""
        del self._networks, self._latents
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
