"""What the mouth follows: the layers of Whisper's encoder.

Radford and others, "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356.
Code and weights of openai-whisper: MIT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from whisper.audio import N_FRAMES, N_SAMPLES, SAMPLE_RATE, log_mel_spectrogram, pad_or_trim
from whisper.model import AudioEncoder

from inference.engines.face.musetalk.settings import Version
from inference.engines.face.musetalk.spans import TOKEN_SAMPLES

Sound = np.ndarray[Any, np.dtype[np.float32]]


class SpeechFeatures:
    """The encoder's hidden layers of up to 30 s of sound."""

    def __init__(self, encoder: AudioEncoder, version: Version, dtype: torch.dtype) -> None:
        """encoder: its weights stay in fp32, it computes in the precision of what it hears."""
        self.version = version
        self.layers = len(encoder.blocks) + 1
        self.width = encoder.ln_post.normalized_shape[0]
        self.dtype = dtype
        self._encoder = encoder
        self.device = encoder.positional_embedding.device

    def encode(self, sound: Sound) -> torch.Tensor:
        """Tokens of `sound`: (n,) float32 -1..1 mono at 16 kHz, at most 30 s.

        Returns (n // 320, layers, width): behind the convolutions, then behind each block.
        Raises ValueError when the sound is longer.
        """
        return self.encode_all([sound])[0]

    def encode_all(self, sounds: Sequence[Sound]) -> list[torch.Tensor]:
        """The tokens of each of several sounds, as `encode`, in one pass of the encoder."""
        longest = max(map(len, sounds))
        if longest > N_SAMPLES:
            raise ValueError(f"Whisper hears 30 s at a time; this is {longest / SAMPLE_RATE:.1f} s")
        mels = torch.stack([self.mel(sound) for sound in sounds]).to(self.dtype)
        hidden = torch.stack(self._hidden_layers(mels), dim=2)
        return [
            tokens[: len(sound) // TOKEN_SAMPLES]
            for tokens, sound in zip(hidden, sounds, strict=True)
        ]

    def mel(self, sound: Sound) -> torch.Tensor:
        """Log-mel spectrogram of `sound` in a window of 30 s: (80, 3000) float32.

        v1 fills the rest of the window with 0, which is not what silence gives; v1.5 with silence.
        """
        heard = torch.from_numpy(sound).to(self.device)
        mel: torch.Tensor
        if self.version == "v1":
            # A spectrogram of nothing has no loudest value to be measured against.
            mel = log_mel_spectrogram(heard) if len(sound) else heard.new_zeros(80, 0)
            mel = pad_or_trim(mel, N_FRAMES)
        else:
            mel = log_mel_spectrogram(pad_or_trim(heard, N_SAMPLES))
        return mel

    def _hidden_layers(self, mel: torch.Tensor) -> list[torch.Tensor]:
        encoder = self._encoder
        with torch.inference_mode():
            x = functional.gelu(encoder.conv1(mel))
            x = functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
            x = (x + encoder.positional_embedding).to(x.dtype)
            layers = [x]
            for block in encoder.blocks:
                x = block(x)
                layers.append(x)
            # The last layer of Hugging Face's encoder, which v1.5 was trained on, is normalised.
            if self.version == "v1.5":
                layers[-1] = encoder.ln_post(x)
        return layers
