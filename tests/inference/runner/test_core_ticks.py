"""How much sound a tick is for, and what the first of them tells."""

from __future__ import annotations

import pytest

from inference.media.clock import TICK_SAMPLES
from tests.inference.runner.test_core import FPS, run


@pytest.mark.parametrize(("fps", "blocks"), [(25, 2), (30, 1), (15, 1)])
def test_tick_mixes_as_much_sound_as_a_picture_lasts_where_both_end_together(
    fps: int, blocks: int
) -> None:
    made = run(1, frame_samples=FPS[fps])

    assert made.core.clock.step == blocks * TICK_SAMPLES
    assert [p.pts for p in made.stream("opus")] == [n * 960 - 120 for n in range(1, 50)]


def test_broadcast_that_goes_on_in_the_middle_of_a_picture_begins_with_the_next() -> None:
    made = run(1, start_sample=9 * 960)

    assert made.stream("video")[0].pts == 10 * 960
    assert [p.pts for p in made.stream("opus")][:2] == [11 * 960 - 120, 12 * 960 - 120]


def test_first_frame_is_told_once() -> None:
    made = run(1)

    assert [call for call in made.listener.calls if call[0] == "first_frame"] == [
        ("first_frame", 0)
    ]
