"""The features of each video frame, cut out of Whisper's tokens."""

from __future__ import annotations

import torch

from inference.engines.face.musetalk.settings import Version
from inference.engines.face.musetalk.spans import (
    TOKENS_BEFORE,
    TOKENS_PER_FRAME,
    token_of_frame,
)


def cut_prompts(
    tokens: torch.Tensor, first_token: int, frames: range, frame_samples: int, version: Version
) -> torch.Tensor:
    """The features of each frame.

    tokens: (n, layers, width), of which the first is token `first_token` of the sound.
    Returns (frames, 10 * layers, width), token by token, each with its layers in order.
    Behind the ends of the sound v1.5 has zeros, v1 repeats the first or last token.
    """
    starts = torch.tensor([token_of_frame(frame, frame_samples) for frame in frames])
    wanted = starts[:, None] + torch.arange(TOKENS_PER_FRAME) - TOKENS_BEFORE - first_token
    count = tokens.shape[0]
    if count == 0:
        return tokens.new_zeros(len(frames), TOKENS_PER_FRAME * tokens.shape[1], tokens.shape[2])
    cut = tokens[wanted.clamp(0, count - 1).to(tokens.device)]
    if version == "v1.5":
        is_outside = (wanted < 0) | (wanted >= count)
        cut = cut.masked_fill(is_outside[..., None, None].to(tokens.device), 0)
    return cut.flatten(1, 2)
