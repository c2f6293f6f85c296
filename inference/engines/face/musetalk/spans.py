"""Which sound each video frame is made of: tokens of Whisper, and the samples behind them.

Whisper makes 50 tokens a second. A frame that begins in token b is given tokens b-4 … b+5: at 25
frames a second tokens 2i-4 … 2i+5 of frame i, 80 ms to either side of its own 40 ms. Source:
MuseTalk, `get_whisper_chunk` (v1.5) and `get_sliced_feature` (v1), and its training at 25 frames a
second. At lower rates than 25 MuseTalk 1.5 itself pads more and so slides 80 ms into the past; ours
keeps to the start of the frame at every rate, as v1 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TOKENS_PER_SECOND: Final = 50
TOKEN_SAMPLES: Final = 16_000 // TOKENS_PER_SECOND
# Of the 48 kHz that frame durations are counted in.
_TOKEN_SAMPLES_48K: Final = 48_000 // TOKENS_PER_SECOND
TOKENS_BEFORE: Final = 4
TOKENS_PER_FRAME: Final = 10
# Whisper hears 30 s at a time, and one second of sound costs as much as thirty.
WINDOW_TOKENS: Final = 30 * TOKENS_PER_SECOND
# The last token of a window also hears what is behind it. With these two, the sound is needed until
# 120 ms after the end of a frame of 40 ms.
LOOK_AHEAD_TOKENS: Final = 2
# Frames whose features are made at once, always at the same places of the clock: the same sound
# gives the same features however it comes.
STEP_FRAMES: Final = 4


@dataclass(frozen=True, slots=True)
class HeardSpan:
    """What one step hears. first, last: samples at 16 kHz on the clock, the last one excluded."""

    frames: range
    first_token: int
    first: int
    last: int


def token_of_frame(frame: int, frame_samples: int) -> int:
    """The token in which `frame` begins. frame_samples: its duration at 48 kHz."""
    return frame * frame_samples // _TOKEN_SAMPLES_48K


def end_of_window(frame: int, frame_samples: int) -> int:
    """The first token behind the window of `frame`."""
    return token_of_frame(frame, frame_samples) - TOKENS_BEFORE + TOKENS_PER_FRAME


def heard_span(
    step: int, frame_samples: int, look_ahead_tokens: int = LOOK_AHEAD_TOKENS
) -> HeardSpan:
    """The 30 s that the frames of a step are made of, their look-ahead included."""
    frames = range(step * STEP_FRAMES, (step + 1) * STEP_FRAMES)
    end_token = end_of_window(frames[-1], frame_samples) + look_ahead_tokens
    first_token = max(0, end_token - WINDOW_TOKENS)
    return HeardSpan(frames, first_token, first_token * TOKEN_SAMPLES, end_token * TOKEN_SAMPLES)
