"""The picture ring between two mappings of the same memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.media.ring import RingError, RingReader, RingWriter

SHAPE = (96, 64)


@pytest.fixture
def ring(tmp_path: Path) -> tuple[RingReader, RingWriter]:
    reader = RingReader.create(tmp_path / "test.ring", width_px=64, height_px=64, slots=6)
    return reader, RingWriter.attach(tmp_path / "test.ring")


def test_frame_comes_over_whole_with_its_generation(ring: tuple[RingReader, RingWriter]) -> None:
    reader, writer = ring
    drawn = np.random.default_rng(1).integers(0, 255, SHAPE, np.uint8)
    writer.begin_frame(7)[:] = drawn
    writer.end_frame(7, 3)
    out = np.zeros(SHAPE, np.uint8)

    assert reader.copy_frame(7, out) == 3
    np.testing.assert_array_equal(out, drawn)


def test_frame_of_another_round_is_not_given_out(ring: tuple[RingReader, RingWriter]) -> None:
    reader, writer = ring
    writer.begin_frame(1)
    writer.end_frame(1, 0)
    out = np.zeros(SHAPE, np.uint8)

    assert reader.copy_frame(7, out) is None
    assert reader.copy_frame(0, out) is None


def test_frame_under_the_brush_is_not_given_out(ring: tuple[RingReader, RingWriter]) -> None:
    reader, writer = ring
    writer.begin_frame(1)
    writer.end_frame(1, 0)
    writer.begin_frame(1)

    assert reader.copy_frame(1, np.zeros(SHAPE, np.uint8)) is None


def test_frame_drawn_again_replaces_the_old_one(ring: tuple[RingReader, RingWriter]) -> None:
    reader, writer = ring
    out = np.zeros(SHAPE, np.uint8)
    for generation, value in ((0, 10), (1, 20)):
        writer.begin_frame(4)[:] = value
        writer.end_frame(4, generation)

    assert reader.copy_frame(4, out) == 1
    assert (out == 20).all()


def test_clock_goes_the_other_way(ring: tuple[RingReader, RingWriter]) -> None:
    reader, writer = ring
    assert writer.clock() == (-1, 0)

    reader.move_clock(12, 5)

    assert writer.clock() == (12, 5)


def test_unlinked_ring_still_works_and_closing_twice_is_safe(
    ring: tuple[RingReader, RingWriter],
) -> None:
    reader, writer = ring
    reader.unlink()
    reader.unlink()
    writer.begin_frame(0)[:] = 9
    writer.end_frame(0, 0)

    assert reader.copy_frame(0, np.zeros(SHAPE, np.uint8)) == 0
    assert not reader.path.exists()
    reader.close()
    reader.close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x" * 4096)

    with pytest.raises(RingError, match="not a frame ring"):
        RingWriter.attach(tmp_path / "other")


def test_existing_file_is_not_taken_over(ring: tuple[RingReader, RingWriter]) -> None:
    with pytest.raises(FileExistsError):
        RingReader.create(ring[0].path, width_px=64, height_px=64)
