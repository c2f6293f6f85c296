"""Renders in this process: the networks of one broadcast on one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from inference.engines.face.musetalk.batches import FaceBatches, Heard
from inference.engines.face.musetalk.bundle import Latents, Pixels
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.soundtrack import Sound

# On a GPU one frame costs as many launches as four; a processor gains nothing.
_BUCKETS: Final = {"cuda": (1, 2, 4), "cpu": (1,)}


class LocalRenderer:
    """`Renderer` for one avatar. latents: (n, 8, height, width) of its bundle.

    first_row: rows of the faces above it are never shown and come back black.
    """

    def __init__(
        self, networks: Networks, latents: Latents, frame_samples: int, first_row: int = 0
    ) -> None:
        buckets = _BUCKETS[networks.painter.device.type]
        self._batches = FaceBatches(networks, latents.shape[-1], buckets)
        self._frame_samples = frame_samples
        self._first_row = first_row
        self._latents = self._batches.keep(latents)
        self.batch_frames = buckets[-1]

    def features(self, sound: Sound, first_token: int, frames: range) -> torch.Tensor:
        """(frames, 10 * layers, width)"""
        return self._batches.hear([Heard(sound, first_token, frames, self._frame_samples)])[0]

    def paint(self, indexes: Sequence[int], features: Sequence[torch.Tensor]) -> Pixels:
        """(n, size, size, 3) uint8 BGR."""
        latents = [self._latents[index] for index in indexes]
        return self._batches.paint(latents, features, self._first_row)

    def warm_up(self) -> None:
        """Pay for first calls before a show, and see how many faces there is room for."""
        silence = np.zeros(16_000, np.float32)
        heard = self.features(silence, 0, range(1))[0]
        made = self._batches.of_each_bucket(lambda size: self.paint([0] * size, [heard] * size))
        self.batch_frames = max(made)

    def close(self) -> None:
        """Free the device's memory."""
        del self._batches, self._latents
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
