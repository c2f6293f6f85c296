"""How much of the painted mouth is shown: all while something is said, nothing in silence."""

from __future__ import annotations

from typing import Final

from inference.engines.face.musetalk.soundtrack import (
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    SoundTrack,
    Spoken,
)

# Lips move before the sound, and close after it.
RAMP_SAMPLES: Final = SAMPLE_RATE_HZ * 11 // 100
HANGOVER_SAMPLES: Final = SAMPLE_RATE_HZ * 12 // 100


def mouth_share(track: SoundTrack, at: int) -> float:
    """0 … 1 at a sample of 16 kHz.

    It grows over 110 ms up to the first sound, or from when the utterance is known, stays 120 ms
    behind the last sound, and sinks over 110 ms; behind a cut it sinks at once.
    """
    return max((_share(item, at) for item in track.spoken), default=0.0)


def _share(item: Spoken, at: int) -> float:
    if not item.loud.size or not _may_reach(item.loud[0], item.loud[-1], at):
        return 0.0
    ahead, behind = item.loud[item.loud >= at], item.loud[item.loud < at]
    share = 1.0 - (int(ahead[0]) - at) / RAMP_SAMPLES if ahead.size else 0.0
    if behind.size:
        held_until = int(behind[-1]) + BLOCK_SAMPLES + HANGOVER_SAMPLES
        if item.cut_at is not None:
            held_until = min(held_until, item.cut_at)
        share = max(share, 1.0 - (at - held_until) / RAMP_SAMPLES)
    # Told late it begins late: nothing jumps.
    share = min(share, (at - item.known) / RAMP_SAMPLES)
    return min(max(share, 0.0), 1.0)


def _may_reach(first: int, last: int, at: int) -> bool:
    behind = BLOCK_SAMPLES + HANGOVER_SAMPLES + RAMP_SAMPLES
    return bool(first - RAMP_SAMPLES < at < last + behind)
