"""Ticks on absolute deadlines, and what happens when they are missed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from inference.media.clock import TICK_SAMPLES, MediaClock
from tests.inference.fake_time import FakeTime

MILLISECOND = 1_000_000


class Recorder:
    """Runs a clock on fake time; `at_tick` may disturb it."""

    def __init__(
        self,
        ticks: int,
        at_tick: Callable[[FakeTime, int], None] = lambda time, sample: None,
        **given: int,
    ) -> None:
        self.time = FakeTime()
        self.ticks: list[tuple[int, int, int]] = []  # sample, late samples, time ns
        self.rebases: list[tuple[int, int]] = []
        self._left = ticks
        self._at_tick = at_tick
        self._stopping = threading.Event()
        self.clock = MediaClock(self._tick, self._rebase, self.time, **given)
        self.clock.run(self._stopping)

    def _tick(self, sample: int, late_samples: int) -> None:
        assert sample == self.clock.sample
        self.ticks.append((sample, late_samples, self.time.boottime_ns()))
        self._at_tick(self.time, sample)
        self._left -= 1
        if not self._left:
            self._stopping.set()

    def _rebase(self, sample: int, gap_samples: int) -> None:
        self.rebases.append((sample, gap_samples))


def spend(duration_ms: int, at_sample: int, *, suspended: bool = False) -> Callable[..., None]:
    def at_tick(time: FakeTime, sample: int) -> None:
        if sample == at_sample and suspended:
            time.suspended_ns += duration_ms * MILLISECOND
        elif sample == at_sample:
            time.now_ns += duration_ms * MILLISECOND

    return at_tick


def test_ticks_come_on_absolute_deadlines() -> None:
    recorder = Recorder(3000, lambda time, sample: setattr(time, "now_ns", time.now_ns + 3_333_333))

    for number, (sample, late, now_ns) in enumerate(recorder.ticks):
        assert sample == number * TICK_SAMPLES
        assert late == 0
        assert now_ns == number * 20 * MILLISECOND


def test_late_ticks_are_caught_up_and_say_how_late() -> None:
    recorder = Recorder(6, spend(70, 960))

    assert [tick[0] for tick in recorder.ticks] == [0, 960, 1920, 2880, 3840, 4800]
    assert [tick[1] for tick in recorder.ticks] == [0, 0, 50 * 48, 30 * 48, 10 * 48, 0]
    assert recorder.rebases == []


@pytest.mark.parametrize("suspended", [True, False])
def test_more_than_half_a_second_rebases_by_whole_ticks(*, suspended: bool) -> None:
    recorder = Recorder(5, spend(3_015, 960, suspended=suspended))

    gap = 149 * TICK_SAMPLES  # late by 2995 ms
    assert recorder.rebases == [(1920 + gap, gap)]
    samples = [tick[0] for tick in recorder.ticks]
    assert samples == [0, 960, 1920 + gap, 2880 + gap, 3840 + gap]
    # The counter stands where real time stands: sample / 48 kHz = time, less than a tick late.
    assert recorder.ticks[2][1] == 15 * 48
    assert recorder.ticks[3][2] == (2880 + gap) * 1_000_000 // 48


def test_half_a_second_exactly_is_caught_up() -> None:
    recorder = Recorder(40, spend(520, 0))

    assert recorder.rebases == []
    assert [tick[0] for tick in recorder.ticks] == [n * TICK_SAMPLES for n in range(40)]


def test_periods_of_several_ticks_begin_at_their_multiples() -> None:
    recorder = Recorder(4, start_sample=960, period_samples=1920)

    assert [tick[0] for tick in recorder.ticks] == [960, 1920, 3840, 5760]
    assert [tick[2] // MILLISECOND for tick in recorder.ticks] == [0, 20, 60, 100]


def test_rebase_to_the_middle_of_a_period_goes_on_with_a_short_one() -> None:
    recorder = Recorder(4, spend(3_005, 1920), period_samples=1920)

    ((sample, gap),) = recorder.rebases
    assert (sample, gap) == (3840 + 148 * TICK_SAMPLES, 148 * TICK_SAMPLES)
    assert [tick[0] for tick in recorder.ticks[2:]] == [sample, sample + 1920]
