"""Which speech features each video frame is given.

Whisper makes 50 tokens a second. A frame that begins in token b is given tokens b-4 … b+5: at 25
frames a second tokens 2i-4 … 2i+5 of frame i, 80 ms to either side of its own 40 ms. Source:
MuseTalk, `get_whisper_chunk` (v1.5) and `get_sliced_feature` (v1), and its training at 25 frames a
second. At lower rates than 25 MuseTalk 1.5 itself pads more and so slides 80 ms into the past; ours
keeps to the start of the frame at every rate, as v1 does.
"""

from __future__ import annotations

from typing import Final

import torch

from inference.engines.face.musetalk.settings import Version

TOKENS_PER_SECOND: Final = 50
# Of the 48 kHz that frame durations are counted in.
_TOKEN_SAMPLES_48K: Final = 960
TOKENS_BEFORE: Final = 4
TOKENS_PER_FRAME: Final = 10


def token_of_frame(frame: int, frame_samples: int) -> int:
    """The token in which `frame` begins. frame_samples: its duration at 48 kHz."""
    return frame * frame_samples // _TOKEN_SAMPLES_48K


def end_of_window(frame: int, frame_samples: int) -> int:
    """The first token behind the window of `frame`."""
    return token_of_frame(frame, frame_samples) - TOKENS_BEFORE + TOKENS_PER_FRAME


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
