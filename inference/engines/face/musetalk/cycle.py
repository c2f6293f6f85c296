"""Which picture of a film is due: the idle clip to and fro, and clips that are played once.

Asking for a moment changes nothing; what was told decides alone, in whatever order it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inference.engines.face.musetalk.bundle import IDLE, Clip, Manifest

SAMPLE_RATE_HZ: Final = 48_000
FADE_SAMPLES: Final = SAMPLE_RATE_HZ * 11 // 100
# A clip waits no longer than this for the idle frame that it fits behind.
_ENTRY_WAIT_SAMPLES: Final = 2 * SAMPLE_RATE_HZ
# Clips that are kept where nothing is said for long: a line of 2,000 characters has fewer.
_KEPT_CLIPS: Final = 256


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture of a moment. before, share: while one fades into the other, 0 < share < 1."""

    index: int
    before: int | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class _Playing:
    clip: Clip
    begins: int
    ends: int
    is_seamless_in: bool
    is_seamless_out: bool
    # Where the idle clip goes on: position `idle_from` at sample `ends`.
    idle_from: int


def mirrored(position: int, count: int) -> int:
    """Frame 0 … count-1 of a clip that goes to and fro: its ends are shown twice.

    The same as a list of frames with its reverse behind it, walked round (MuseTalk), and as
    LiveTalking's turns.
    """
    at = position % (2 * count)
    return at if at < count else 2 * count - 1 - at


class Cycle:
    """Plays the clips of one film."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        idle = manifest.clip(IDLE)
        assert idle is not None
        self._idle = idle
        # What is planned of each clip that was asked for, in order, and the last one forgotten.
        self.asked: list[tuple[int, Clip]] = []
        self._planned: list[_Playing] = []
        self._behind: _Playing | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The clips that can be played."""
        return tuple(clip.name for clip in self._manifest.clips if clip.name != IDLE)

    def play(self, name: str, at_sample: int) -> bool:
        """Play a clip from about a sample on; False when there is none of this name."""
        clip = self._manifest.clip(name)
        if clip is None or name == IDLE:
            return False
        self._forget(len(self.asked) + 1 - _KEPT_CLIPS)
        self.asked = sorted([*self.asked, (at_sample, clip)], key=lambda item: item[0])
        self._plan()
        return True

    def forget_before(self, sample: int) -> None:
        """No moment before it is asked for again; the idle clip goes on as it would have."""
        self._forget(sum(playing.ends < sample for playing in self._planned))

    def drop_from(self, sample: int) -> None:
        """What was to begin at or after `sample` is not played; what plays goes on to its end."""
        self.asked = [item for item in self.asked if item[0] < sample]
        self._plan()

    def at(self, sample: int) -> Shown:
        """What is shown at a sample of the media clock."""
        playing = self._last_begun(sample)
        if playing is None:
            return Shown(self._idle_index(sample, None))
        if sample < playing.ends:
            return self._in_clip(playing, sample)
        index = self._idle_index(sample, playing)
        share = (sample - playing.ends + self._step) / FADE_SAMPLES
        if playing.is_seamless_out or share >= 1:
            return Shown(index)
        return Shown(index, playing.clip.first + playing.clip.count - 1, share)

    @property
    def _step(self) -> int:
        """Duration of a picture of the film."""
        return SAMPLE_RATE_HZ // self._manifest.frame_rate

    def _in_clip(self, playing: _Playing, sample: int) -> Shown:
        clip = playing.clip
        position = (sample - playing.begins) // self._step
        index = clip.first + min(position, clip.count - 1)
        share = (sample - playing.begins + self._step) / FADE_SAMPLES
        if playing.is_seamless_in or share >= 1:
            return Shown(index)
        return Shown(index, self._idle_index(sample, self._one_before(playing)), share)

    def _last_begun(self, sample: int) -> _Playing | None:
        begun = [playing for playing in self._planned if playing.begins <= sample]
        return begun[-1] if begun else self._behind

    def _one_before(self, playing: _Playing) -> _Playing | None:
        earlier = [each for each in self._planned if each.begins < playing.begins]
        return earlier[-1] if earlier else self._behind

    def _idle_position(self, sample: int, behind: _Playing | None) -> int:
        if behind is None:
            return sample // self._step
        return behind.idle_from + (sample - behind.ends) // self._step

    def _idle_index(self, sample: int, behind: _Playing | None) -> int:
        position = self._idle_position(sample, behind)
        return self._idle.first + mirrored(position, self._idle.count)

    def _forget(self, count: int) -> None:
        """The first clips that were asked for."""
        if count > 0:
            self._behind = self._planned[count - 1]
            self.asked, self._planned = self.asked[count:], self._planned[count:]

    def _plan(self) -> None:
        """Lay the asked clips behind each other; one asked for while another plays waits."""
        self._planned = []
        for asked_at, clip in self.asked:
            behind = self._planned[-1] if self._planned else self._behind
            earliest = max(asked_at, behind.ends if behind else asked_at)
            begins = self._entry(clip, earliest, behind)
            ends = begins + clip.count * self._step
            resumed = self._resume_at(clip, begins, behind)
            self._planned.append(
                _Playing(
                    clip, begins, ends,
                    is_seamless_in=clip.enter is not None and self._fits(clip, begins, behind),
                    is_seamless_out=clip.leave is not None,
                    idle_from=resumed,
                )
            )  # fmt: skip

    def _entry(self, clip: Clip, earliest: int, behind: _Playing | None) -> int:
        """The first picture behind the idle frame that the clip fits, if that comes soon."""
        if clip.enter is None:
            return earliest
        first = -(-earliest // self._step) * self._step
        for begins in range(first, earliest + _ENTRY_WAIT_SAMPLES, self._step):
            if self._fits(clip, begins, behind):
                return begins
        return earliest

    def _fits(self, clip: Clip, begins: int, behind: _Playing | None) -> bool:
        return self._idle_index(begins - self._step, behind) - self._idle.first == clip.enter

    def _resume_at(self, clip: Clip, begins: int, behind: _Playing | None) -> int:
        if clip.leave is not None:
            return clip.leave
        return self._idle_position(begins, behind)
