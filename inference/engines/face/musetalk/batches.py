"""The passes of MuseTalk, in the face worker and in the model server alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from inference.engines.face.musetalk.faces import PROMPT_TOKENS
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.passes import BUCKETS, Passes, seconds_of
from inference.engines.face.musetalk.soundtrack import HISTORY_SAMPLES, Sound
from inference.engines.face.musetalk.windows import cut_prompts


@dataclass(frozen=True, slots=True)
class Heard:
    """One step to be heard: 16 kHz sound whose first sample is of `first_token`, as a Renderer."""

    sound: Sound
    first_token: int
    frames: range
    frame_samples: int


class FaceBatches(Passes):
    """UNet and decoder in passes; Whisper too. latent_px: side of the latents."""

    def __init__(
        self,
        networks: Networks,
        latent_px: int,
        buckets: tuple[int, ...] = BUCKETS,
        *,
        graphs: bool | None = None,
    ) -> None:
        painter, self._features = networks.painter, networks.features
        self.prompt_shape = (PROMPT_TOKENS, self._features.width)
        self.prompt_dtype = self._features.dtype
        frame = torch.empty(8, latent_px, latent_px, dtype=torch.float16)
        prompt = torch.empty(self.prompt_shape, dtype=self.prompt_dtype)
        super().__init__(painter, frame, prompt, buckets, graphs=graphs)

    def hear(self, orders: Sequence[Heard]) -> list[torch.Tensor]:
        """The features of each order's frames: (frames, 50, width) on the device."""
        silence = Heard(np.empty(0, np.float32), 0, range(0), 1)
        padded = [*orders, *[silence] * (self.bucket_of(len(orders)) - len(orders))]
        tokens = self._features.encode_all([order.sound for order in padded])
        version = self._features.version
        return [
            cut_prompts(each, order.first_token, order.frames, order.frame_samples, version)
            for each, order in zip(tokens, orders, strict=False)
        ]

    def measure_sounds(self, rounds: int = 3) -> dict[int, float]:
        """Seconds until a pass of each bucket is heard. First calls are paid here.

        Without those that the device has no memory for.
        """
        silence = Heard(np.zeros(HISTORY_SAMPLES, np.float32), 0, range(4), 1920)
        return self.of_each_bucket(
            lambda size: seconds_of(
                lambda: [part.cpu() for part in self.hear([silence] * size)], rounds
            )
        )
