"""The test card is read back after x264 and scaling, and never misread."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.testcard import layout
from inference.engines.face.testcard.decode import decode_testcard
from inference.engines.face.testcard.engine import blank_card, create_engine


def _setup(width_px: int = 960, height_px: int = 540) -> FaceSetup:
    return FaceSetup(width_px, height_px, 1920, "full", "studio", {}, "")


@pytest.fixture(autouse=True)
def _test_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENGINES", "1")


def _draw(
    pts_samples: int, generation: int, width_px: int = 960, height_px: int = 540
) -> np.ndarray:
    picture = np.empty((height_px * 3 // 2, width_px), np.uint8)
    create_engine(_setup(width_px, height_px)).render(pts_samples, generation, picture)
    return picture


def _encode_and_decode(
    pictures: list[np.ndarray], width_px: int, height_px: int
) -> list[np.ndarray]:
    """Luma after x264 ultrafast zerolatency at 1.5 Mbit/s."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width_px, height_px, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.bit_rate = 1_500_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    return [frame.to_ndarray()[:height_px] for frame in frames]


def test_card_survives_x264_and_scaling_down() -> None:
    pts = [48 * 987_654 + frame * 1920 for frame in range(50)]
    pictures = [_draw(sample, 200 + index // 10) for index, sample in enumerate(pts)]

    decoded = _encode_and_decode(pictures, 960, 540)

    assert len(decoded) == 50
    for index, luma in enumerate(decoded):
        small = cv2.resize(luma, (320, 180), interpolation=cv2.INTER_LINEAR)
        for gray in (luma, small):
            reading = decode_testcard(gray)
            assert reading is not None
            assert reading.clock_ms == pts[index] // 48
            assert reading.generation == 200 + index // 10
            assert reading.flash == (pts[index] // 48 % 1000 < layout.FLASH_MS)


@pytest.mark.parametrize(("width_px", "height_px"), [(640, 360), (720, 1280), (1920, 1080)])
def test_card_is_read_at_every_profile(width_px: int, height_px: int) -> None:
    picture = _draw(48_000 * 3, 7, width_px, height_px)

    reading = decode_testcard(picture[:height_px])

    assert reading is not None
    assert (reading.clock_ms, reading.generation, reading.flash) == (3000, 7, True)


def test_clock_wraps_at_24_bits_and_generation_at_8() -> None:
    reading = decode_testcard(_draw(48 * ((1 << 24) + 1234), 256 + 3)[:540])

    assert reading is not None
    assert (reading.clock_ms, reading.generation) == (1234, 3)


def test_damaged_or_missing_card_is_not_read() -> None:
    damaged = _draw(48 * 5555, 9)[:540].copy()
    x0, y0, x1, y1 = layout.bit_box_px(20, 960, 540)
    damaged[y0:y1, x0:x1] = 251 - damaged[y0:y1, x0:x1]

    assert decode_testcard(damaged) is None
    assert decode_testcard(blank_card(960, 540)[:540]) is None
    assert decode_testcard(np.full((540, 960), 128, np.uint8)) is None
    noise = np.random.default_rng(1).integers(0, 256, (540, 960), np.uint8)
    assert decode_testcard(noise) is None


def test_card_is_refused_on_a_real_air(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ENGINES")

    with pytest.raises(EngineError, match="TEST_ENGINES"):
        create_engine(_setup())
