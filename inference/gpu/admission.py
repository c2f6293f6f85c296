"""How many broadcasts a device carries, from the time its passes take; who no longer fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inference import model_servers
from inference.engines.face.musetalk.spans import STEP_FRAMES
from inference.gpu.schedule import Timings
from inference.media.ring import LEAD_FRAMES
from inference.model_servers import FULL_LOAD

_SAMPLE_RATE_HZ: Final = 48_000
# To begin a pass, and to bring a face back.
_WAY_SECONDS: Final = 0.005


def patience_seconds(frame_samples: int) -> float:
    """How long a broadcast waits for a face: frames are drawn that far ahead of the clock."""
    return (LEAD_FRAMES - 1) * frame_samples / _SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Plan:
    """Which passes serve broadcasts of one frame duration, and what one of them costs.

    paint, hear: the largest passes that are quick enough. load: share of the device, 0 … 1.
    """

    paint: int
    hear: int
    load: float

    @property
    def fits(self) -> int:
        """How many broadcasts the device carries."""
        return int(FULL_LOAD / self.load)


def plan(faces: Timings, sounds: Timings, frame_samples: int) -> Plan:
    """The plan for broadcasts of this frame duration (48 kHz samples), all of them speaking.

    A face may have to wait for a pass of others, and then takes one of its own.
    """
    pass_seconds = (patience_seconds(frame_samples) - _WAY_SECONDS) / 2
    paint, hear = _largest(faces, pass_seconds), _largest(sounds, pass_seconds)
    rate = _SAMPLE_RATE_HZ / frame_samples
    load = rate * faces.seconds[paint] / paint
    load += rate / STEP_FRAMES * sounds.seconds[hear] / hear
    return Plan(paint, hear, load)


def refusal(device: str, own: Plan, frame_samples: int, on_air: int, free: float) -> str | None:
    """Why a broadcast does not fit, in words for a host; None when it does.

    free: the share of the device that nobody has been given.
    """
    if own.load <= free:
        return None
    rate = _SAMPLE_RATE_HZ / frame_samples
    return model_servers.refusal(device, rate, own.fits, on_air, own.load)


def no_memory(device: str) -> str:
    """Why a presenter is not taken although there would be time for it, in words for a host."""
    return (
        f"{device[:1].upper()}{device[1:]} has no memory left for the film of this presenter. "
        "End a broadcast, or choose a presenter that needs no GPU."
    )


def _largest(timings: Timings, seconds: float) -> int:
    """The largest bucket whose pass is that quick, the smallest if none is."""
    quick = [bucket for bucket, took in timings.seconds.items() if took <= seconds]
    return max(quick, default=min(timings.seconds))
