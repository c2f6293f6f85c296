"""Which picture shows: the worker's, a held one, the idle loop, and the fades between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.media.overlay import OverlayStack, TimedOverlay, make_patch
from inference.media.picture import plain_background
from inference.media.ring import Picture, RingReader, RingWriter
from inference.protocol import RenditionSpec
from inference.runner.compose import Composer, WrongSizeError

SPEC = RenditionSpec("main", 64, 64, 1920, 200)
IDLE, WORKER = 200, 50


class Idle:
    width_px = height_px = 64

    def frame(self, index: int) -> Picture:
        picture = np.full((96, 64), IDLE, np.uint8)
        picture.flags.writeable = False
        return picture


class Stand:
    """A composer, its overlays, and a worker that draws flat pictures."""

    def __init__(self, folder: Path) -> None:
        self.overlays = OverlayStack()
        self.composer = Composer(SPEC, self.overlays)
        self.composer.set_idle(Idle())
        self.ring = RingReader.create(folder / "a.ring", width_px=64, height_px=64)
        self.worker = RingWriter.attach(folder / "a.ring")

    def draw(self, frame: int, generation: int = 0, value: int = WORKER) -> None:
        self.worker.begin_frame(frame)[:] = value
        self.worker.end_frame(frame, generation)

    def show(self, frame: int, generation: int = 0) -> tuple[str, int]:
        picture = self.composer.compose(frame, generation)
        assert (picture == picture[0, 0]).all()
        return self.composer.last_source, int(picture[0, 0])


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def speaking(stand: Stand) -> Stand:
    """The worker has shown frame 0 from the first one on, nothing to fade from."""
    stand.composer.attach(stand.ring)
    stand.draw(0)
    assert stand.show(0) == ("worker", WORKER)
    return stand


def test_idle_loop_plays_from_the_first_frame(stand: Stand) -> None:
    assert stand.show(0) == ("idle", IDLE)


def test_plain_background_without_idle_loop() -> None:
    picture = Composer(SPEC, OverlayStack()).compose(0, 0)

    np.testing.assert_array_equal(picture, plain_background(64, 64))


def test_still_picture_stands_in_for_a_missing_loop_only(stand: Stand) -> None:
    still = np.full((96, 64), 120, np.uint8)
    stand.composer.set_still(still)
    assert stand.show(0) == ("idle", IDLE)

    stand.composer = Composer(SPEC, OverlayStack())
    stand.composer.set_still(still)
    assert stand.show(0) == ("idle", 120)
    with pytest.raises(WrongSizeError):
        stand.composer.set_still(np.zeros((48, 64), np.uint8))


def test_worker_fades_in_over_120_ms(stand: Stand) -> None:
    stand.show(0)
    stand.composer.attach(stand.ring)
    for frame in (1, 2, 3, 4):
        stand.draw(frame)

    assert [stand.show(frame) for frame in (1, 2, 3, 4)] == [
        ("worker", 150), ("worker", 100), ("worker", 50), ("worker", 50),
    ]  # fmt: skip


def test_missing_picture_is_held_200_ms_then_idle_fades_in(stand: Stand) -> None:
    speaking(stand)
    shown = [stand.show(frame) for frame in range(1, 10)]

    assert shown[:5] == [("held", WORKER)] * 5
    assert shown[5:] == [("idle", 100), ("idle", 150), ("idle", IDLE), ("idle", IDLE)]
    assert stand.composer.counts == {"worker": 1, "held": 5, "idle": 4}


def test_without_idle_loop_the_last_picture_stays(stand: Stand) -> None:
    stand.composer = Composer(SPEC, OverlayStack())
    speaking(stand).composer.detach()

    assert stand.show(100) == ("held", WORKER)


def test_detached_worker_fades_to_idle_at_once(stand: Stand) -> None:
    speaking(stand)

    assert stand.composer.detach() is stand.ring
    assert stand.show(1) == ("idle", 100)


def test_fade_that_is_turned_round_starts_from_what_shows(stand: Stand) -> None:
    speaking(stand)
    stand.composer.detach()
    stand.show(1)  # 100 of 50 -> 200
    stand.composer.attach(stand.ring)
    stand.draw(2)

    assert stand.show(2) == ("worker", 83)  # a third of the way from 100 to 50


def test_picture_of_an_old_generation_is_not_shown(stand: Stand) -> None:
    speaking(stand)
    stand.draw(1, generation=0, value=90)

    assert stand.show(1, generation=1) == ("held", WORKER)


def test_picture_redrawn_for_the_new_generation_is_shown(stand: Stand) -> None:
    speaking(stand)
    stand.draw(1, generation=0, value=90)
    stand.draw(1, generation=1, value=60)

    assert stand.show(1, generation=1) == ("worker", 60)


def test_picture_that_is_being_drawn_is_not_shown(stand: Stand) -> None:
    speaking(stand)
    stand.worker.begin_frame(1)[:] = 99

    assert stand.show(1) == ("held", WORKER)


def test_replacement_worker_goes_on(stand: Stand, tmp_path: Path) -> None:
    speaking(stand)
    ring = RingReader.create(tmp_path / "b.ring", width_px=64, height_px=64)
    stand.worker = RingWriter.attach(tmp_path / "b.ring")

    assert stand.composer.attach(ring) is stand.ring
    stand.ring.close()
    stand.composer.move_clock(1, 7)
    stand.draw(1, value=70)
    assert stand.worker.clock() == (1, 7)
    assert stand.show(1) == ("worker", 70)


def test_picture_that_came_late_is_shown_instead_of_the_one_before_it(stand: Stand) -> None:
    """It counts as held: it was not there when it was due. An older one is not shown again."""
    speaking(stand)
    assert stand.show(1) == ("held", WORKER)
    stand.draw(1, value=60)
    stand.draw(2, value=70)

    assert stand.show(3) == ("worker", 70)
    assert stand.show(4) == ("held", 70)
    stand.draw(6, value=80)
    assert stand.show(6) == ("worker", 80)
    stand.draw(5, value=75)
    assert stand.show(7) == ("held", 80)
    assert stand.composer.counts == {"worker": 2, "held": 4, "idle": 0}
    assert stand.composer.late == 1


def test_late_picture_of_an_old_generation_is_not_shown(stand: Stand) -> None:
    speaking(stand)
    stand.draw(1, generation=0, value=60)

    assert stand.show(2, generation=1) == ("held", WORKER)


def test_late_picture_of_a_worker_that_is_new_is_not_shown(stand: Stand, tmp_path: Path) -> None:
    """Its predecessor's numbers say nothing about it: it begins with a picture that is due."""
    speaking(stand)
    other = RingReader.create(tmp_path / "b.ring", width_px=64, height_px=64)
    stand.composer.attach(other)
    writer = RingWriter.attach(tmp_path / "b.ring")
    writer.begin_frame(1)[:] = 60
    writer.end_frame(1, 0)

    assert stand.show(2) == ("held", WORKER)


def test_slow_show_holds_as_many_pictures_as_a_fast_one(tmp_path: Path) -> None:
    """200 ms are two pictures at ten a second: too few for one that takes longer than it lasts."""
    composer = Composer(RenditionSpec("main", 64, 64, 4800, 200), OverlayStack())
    composer.set_idle(Idle())
    composer.attach(RingReader.create(tmp_path / "a.ring", width_px=64, height_px=64))
    worker = RingWriter.attach(tmp_path / "a.ring")
    worker.begin_frame(0)[:] = WORKER
    worker.end_frame(0, 0)

    sources = [composer.compose(frame, 0) is not None and composer.last_source
               for frame in range(8)]  # fmt: skip

    assert sources == ["worker", *["held"] * 5, "idle", "idle"]


def test_overlay_is_not_burnt_into_the_held_picture(stand: Stand) -> None:
    white = make_patch(np.full((16, 16, 4), 255, np.uint8), 8, 8)
    stand.overlays.put("caption", TimedOverlay(white, 0, 1920))
    stand.composer.attach(stand.ring)
    stand.draw(0)
    assert stand.composer.compose(0, 0)[10, 10] == 235

    assert stand.show(1) == ("held", WORKER)


def test_overlay_is_not_burnt_into_a_fade(stand: Stand) -> None:
    white = make_patch(np.full((16, 16, 4), 255, np.uint8), 8, 8)
    under = make_patch(np.full((16, 16, 4), 128, np.uint8), 0, 0)
    stand.overlays.put("title", TimedOverlay(under, 0, 1920))
    stand.overlays.put("caption", TimedOverlay(white, 0, 1920))
    stand.composer.compose(0, 0)
    stand.composer.attach(stand.ring)
    stand.draw(1)

    assert stand.show(1) == ("worker", 150)


def test_wrong_sizes_are_refused(stand: Stand, tmp_path: Path) -> None:
    ring = RingReader.create(tmp_path / "wide.ring", width_px=96, height_px=64)

    with pytest.raises(WrongSizeError, match="96x64 do not fit rendition main of 64x64"):
        stand.composer.attach(ring)
