"""What the mouth follows: the layers of Whisper's encoder, for whole sounds and as sound comes in.

Radford and others, "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356.
Code and weights of openai-whisper: MIT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional
from whisper.audio import N_FRAMES, N_SAMPLES, SAMPLE_RATE, log_mel_spectrogram, pad_or_trim
from whisper.model import AudioEncoder

from inference.engines.face.musetalk.settings import Version
from inference.engines.face.musetalk.windows import (
    TOKENS_PER_SECOND,
    cut_prompts,
    end_of_window,
)

Sound = np.ndarray[Any, np.dtype[np.float32]]

TOKEN_SAMPLES: Final[int] = SAMPLE_RATE // TOKENS_PER_SECOND
# Whisper hears 30 s at a time, and one second of sound costs as much as thirty.
WINDOW_TOKENS: Final[int] = N_SAMPLES // TOKEN_SAMPLES
# The last token of a window also hears what is behind it. With these two, the sound is needed until
# 120 ms after the end of a frame of 40 ms.
LOOK_AHEAD_TOKENS: Final = 2
_SAMPLES_AT_48_KHZ: Final = 48_000 // SAMPLE_RATE


class SpeechFeatures:
    """The encoder's hidden layers of up to 30 s of sound."""

    def __init__(self, encoder: AudioEncoder, version: Version, dtype: torch.dtype) -> None:
        """encoder: its weights stay in fp32, it computes in the precision of what it hears."""
        self.version = version
        self.layers = len(encoder.blocks) + 1
        self.width = encoder.ln_post.normalized_shape[0]
        self.dtype = dtype
        self._encoder = encoder
        self._device = encoder.positional_embedding.device

    def encode(self, sound: Sound) -> torch.Tensor:
        """Tokens of `sound`: (n,) float32 -1..1 mono at 16 kHz, at most 30 s.

        Returns (n // 320, layers, width): behind the convolutions, then behind each block.
        Raises ValueError when the sound is longer.
        """
        if len(sound) > N_SAMPLES:
            raise ValueError(
                f"Whisper hears 30 s at a time; this is {len(sound) / SAMPLE_RATE:.1f} s"
            )
        hidden = self._hidden_layers(self.mel(sound)[None].to(self.dtype))
        return torch.stack(hidden, dim=2)[0, : len(sound) // TOKEN_SAMPLES]

    def mel(self, sound: Sound) -> torch.Tensor:
        """Log-mel spectrogram of `sound` in a window of 30 s: (80, 3000) float32.

        v1 fills the rest of the window with 0, which is not what silence gives; v1.5 with silence.
        """
        heard = torch.from_numpy(sound).to(self._device)
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


@dataclass(frozen=True, slots=True)
class Prompts:
    """Features of successive frames. values: (frames, 10 * layers, width)."""

    first_frame: int
    values: torch.Tensor


class FeatureStream:
    """Features of each frame of a sound that comes in piece by piece.

    The encoder runs at fixed places of the sound, once for `step_frames` frames, and hears the 30 s
    before them: the same sound gives the same features however it is cut into pieces.
    """

    def __init__(
        self, features: SpeechFeatures, *, frame_samples: int, step_frames: int = 4
    ) -> None:
        """frame_samples: duration of a frame at 48 kHz."""
        self._features = features
        self._frame_samples = frame_samples
        self._step_frames = step_frames
        self._next_frame = 0
        # Twice the window: it is moved down once in 30 s, not with each piece.
        self._sound = np.zeros(2 * N_SAMPLES, np.float32)
        self._start = 0
        self._end = 0

    def push(self, sound: Sound) -> list[Prompts]:
        """Take more sound, (n,) float32 -1..1 mono at 16 kHz; features of frames now heard."""
        made = []
        for position in range(0, len(sound), N_SAMPLES):
            self._append(sound[position : position + N_SAMPLES])
            made += self._run()
        return made

    def close(self) -> list[Prompts]:
        """The sound has ended: features of the frames that it still fills."""
        last_frame = self._end * _SAMPLES_AT_48_KHZ // self._frame_samples
        made = []
        while self._next_frame < last_frame:
            count = min(self._step_frames, last_frame - self._next_frame)
            needed = self._needed_samples(self._next_frame + count - 1)
            made.append(self._make(count, min(needed, self._end)))
        return made

    def _run(self) -> list[Prompts]:
        made = []
        last = self._next_frame + self._step_frames - 1
        while (needed := self._needed_samples(last)) <= self._end:
            made.append(self._make(self._step_frames, needed))
            last += self._step_frames
        return made

    def _needed_samples(self, frame: int) -> int:
        end_token = end_of_window(frame, self._frame_samples) + LOOK_AHEAD_TOKENS
        return end_token * TOKEN_SAMPLES

    def _make(self, count: int, end: int) -> Prompts:
        """Features of the next `count` frames from the 30 s before sample `end`."""
        first_token = max(0, -(-end // TOKEN_SAMPLES) - WINDOW_TOKENS)
        start = first_token * TOKEN_SAMPLES
        tokens = self._features.encode(self._sound[start - self._start : end - self._start])
        frames = range(self._next_frame, self._next_frame + count)
        values = cut_prompts(
            tokens, first_token, frames, self._frame_samples, self._features.version
        )
        self._next_frame += count
        return Prompts(frames.start, values)

    def _append(self, sound: Sound) -> None:
        held = self._end - self._start
        if held + len(sound) > len(self._sound):
            kept = self._sound[held - N_SAMPLES : held].copy()
            self._sound[:N_SAMPLES] = kept
            self._start = self._end - N_SAMPLES
            held = N_SAMPLES
        self._sound[held : held + len(sound)] = sound
        self._end += len(sound)
