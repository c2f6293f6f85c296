"""The arithmetic of the benchmarks: a wrong formula would make any product look good."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.browser import BrowserSound, _reading
from benchmarks.capacity import losses_since
from benchmarks.cost import _Look, cost_by_part
from benchmarks.figures import Report, percentile
from benchmarks.interrupt import Heard, judge
from benchmarks.latency import delays_of, match_following
from benchmarks.lips import Film, best_lag, bilabials, match_lips, shuffle
from benchmarks.mouth import mouth_height
from benchmarks.platform import ClockPair
from benchmarks.rendering import Sentence
from benchmarks.report import BEGIN, END, MarkersMissingError, write_block
from benchmarks.rtmp_reader import HeardBlock, Recorded, SeenPicture
from benchmarks.skew import beep_onsets, find_skews, slope_ms
from inference.engines.face.testcard import layout
from inference.engines.face.testcard.decode import TestcardReading

RATE_HZ = 48_000


def test_percentile_is_the_nearest_rank() -> None:
    assert percentile([float(n) for n in range(1, 21)], 0.95) == 19
    assert percentile([5.0], 0.95) == 5
    assert percentile([1.0, 2.0, 9.0], 0.5) == 2


def test_figure_past_its_limit_is_missed_and_fails_the_report() -> None:
    report = Report("x")
    report.at_most("delay", 70.0, 70, "ms")
    assert report.is_met

    report.at_least("share", 99.0, 100, "%")

    assert not report.is_met
    assert "missed" in report.table()


def test_delay_counts_from_the_tick_even_after_the_card_clock_wrapped() -> None:
    clock = ClockPair(media_ms=float(1 << 24), unix_ms=1_000_000.0)
    card = TestcardReading(clock_ms=40, generation=0, flash=False)

    assert delays_of([(card, 1_000_090.0), (None, 0.0)], clock.unix_of) == [50.0]


def test_each_line_is_matched_with_the_first_sound_after_it() -> None:
    assert match_following([0.0, 100.0, 200.0], [50.0, 60.0, 230.0]) == [50.0, 30.0]


def test_sound_of_the_browser_is_dated_by_its_block() -> None:
    sound = BrowserSound(np.zeros(256, np.int16), np.array([1000.0, 1003.0]))

    assert sound.unix_of(128 + 48) == 1004.0


def test_browser_reads_the_card_that_the_engine_writes() -> None:
    word = layout.encode_bits(123_456, 7)
    bits = [220.0 if word >> index & 1 else 20.0 for index in reversed(range(48))]

    assert _reading([*bits, 20.0, 220.0, 200.0]) == TestcardReading(123_456, 7, True)
    assert _reading([*bits, 100.0, 110.0, 100.0]) is None


def test_old_speech_after_an_interrupt_is_found() -> None:
    tone, answer = (3, 1), (4, 2)
    clean = [Heard(tone, 0.0, 1080.0, 1), Heard(answer, 1900.0, 2900.0, 1)]

    judged = judge([1000.0], clean)
    assert judged.delays_ms == [80.0]
    assert not judged.late

    judged = judge([1000.0], [*clean, Heard(tone, 1400.0, 1500.0, 1)])
    assert [heard.begin_ms for heard in judged.late] == [1400.0]


def test_interrupt_of_a_tone_that_was_never_heard_is_missing() -> None:
    assert judge([1000.0], []).missing == 1


def test_reader_fills_a_jump_of_the_clock_with_silence() -> None:
    ones = np.ones(960, np.float32)
    recorded = Recorded(blocks=[HeardBlock(0, 0.0, ones), HeardBlock(120, 0.0, ones)])

    samples, starts = recorded.sound()

    assert [first for first, _ in starts] == [0, 5760]
    assert samples[960:5760].sum() == 0
    assert len(samples) == 5760 + 960


@pytest.mark.parametrize("late_ms", [0, 30, -20])
def test_skew_is_the_beep_against_the_flash_of_its_second(late_ms: int) -> None:
    """The utterance began 300 ms into a second of the media clock."""
    recorded = _flashes_and_beeps(seconds=4, late_ms=late_ms)

    skews = find_skews(recorded, [300.0], offset_ms=0.0)

    assert len(skews) == 3
    assert all(skew == pytest.approx(late_ms, abs=1) for _, skew in skews)


def _flashes_and_beeps(*, seconds: int, late_ms: int) -> Recorded:
    pictures = [
        SeenPicture(ms, 0.0, TestcardReading(ms, 0, ms % 1000 == 0))
        for ms in range(0, seconds * 1000, 40)
    ]
    sound = np.zeros(seconds * RATE_HZ, np.float32)
    for second in range(seconds - 1):
        first = (second * 1000 + 300 + late_ms) * 48
        sound[first : first + 960] = 0.5
    return Recorded(pictures=pictures, blocks=[HeardBlock(0, 0.0, sound)])


def test_beeps_closer_than_half_a_second_are_one() -> None:
    sound = np.zeros(RATE_HZ, np.float32)
    sound[1000:1100] = sound[2000:2100] = sound[40_000:40_100] = 0.5

    assert beep_onsets(sound) == [1000, 40_000]


def test_slope_is_per_ten_minutes() -> None:
    assert slope_ms([(0.0, 0.0), (60.0, 0.1), (120.0, 0.2)]) == pytest.approx(1.0)


def test_lips_that_lead_have_a_negative_lag() -> None:
    random = np.random.default_rng(3)
    sound = np.convolve(random.normal(size=3000), np.ones(10) / 10, "same")

    correlation, lag_ms = best_lag(np.roll(sound, -4), sound)

    assert lag_ms == -40
    assert correlation > 0.99


def test_shuffled_sound_is_the_control() -> None:
    random = np.random.default_rng(3)
    sound = np.convolve(random.normal(size=6000), np.ones(10) / 10, "same")

    assert best_lag(sound, shuffle(sound, random))[0] < 0.2


def test_match_of_a_mouth_that_follows_the_loudness() -> None:
    random = np.random.default_rng(5)
    envelope = np.repeat(random.uniform(0.05, 1.0, 200), RATE_HZ // 10)
    sound = envelope * random.normal(size=len(envelope)) * 0.1
    times = np.arange(0, 20, 0.04)
    heights = 20 * np.log10(envelope[((times + 0.02) * RATE_HZ).astype(int)])

    match = match_lips(Film(times, heights, sound), random)

    assert match.correlation > 0.8
    assert abs(match.lag_ms) <= 20
    assert match.control < 0.3


def test_closures_end_with_the_phoneme_or_after_80_ms() -> None:
    phonemes = ((0.0, "p"), (0.05, "i:"), (0.2, "m"), (0.6, "@"))
    sentence = Sentence("", np.zeros(1, np.int16), phonemes, ())

    assert bilabials(sentence) == [(0.0, 0.05), (0.2, pytest.approx(0.28))]


@pytest.mark.parametrize("opening_px", [0, 12, 30])
def test_mouth_height_holds_both_lips_and_what_is_between(opening_px: int) -> None:
    picture = np.full((720, 1280, 3), (205, 225, 250), np.uint8)
    lip, cavity, middle = (95, 90, 205), (30, 15, 74), 330
    cv2.rectangle(picture, (615, middle - 8), (665, middle - 1), lip, -1)
    cv2.rectangle(picture, (615, middle), (665, middle + opening_px), cavity, -1)
    cv2.rectangle(picture, (615, middle + opening_px), (665, middle + opening_px + 9), lip, -1)

    height = mouth_height(picture)

    assert height == pytest.approx((18 + opening_px) * 1000 / 720, abs=0.1)


def test_picture_without_a_mouth_has_no_height() -> None:
    assert mouth_height(np.full((720, 1280, 3), 200, np.uint8)) is None


def test_cost_adds_up_to_what_the_processes_used() -> None:
    def metrics(frames: int, h264_ms: float) -> dict[str, object]:
        return {
            "frames": frames, "media_time_ms": frames * 40,
            "cpu_ms_per_frame": {"h264": h264_ms, "tick": 0.5},
        }  # fmt: skip

    before = _Look({1: 1.0, 2: 0.5}, metrics(100, 4.0), 0.0)
    after = _Look({1: 2.6, 2: 1.1}, metrics(300, 4.0), 8.0)

    parts = cost_by_part({1: "core", 2: "face"}, before, after)

    assert parts["core: h264"] == pytest.approx(4.0)
    assert parts["face"] == pytest.approx(3.0)
    assert sum(parts.values()) == pytest.approx(2200 / 200)


def test_capacity_counts_what_was_lost_meanwhile() -> None:
    counts = dict.fromkeys(("held", "dropped", "sound_dropped", "underruns", "rebases"), 1)
    outputs = [{"dropped": 4}]
    metrics = {**counts, "media_time_ms": 0, "frames": 0}
    before = {"metrics": metrics, "outputs": outputs}

    steady = {"metrics": {**metrics, "media_time_ms": 10_000, "frames": 248}, "outputs": outputs}
    assert losses_since(before, steady) == {}

    lossy = {
        "metrics": {**metrics, "held": 3, "media_time_ms": 10_000, "frames": 200},
        "outputs": [{"dropped": 9}],
    }
    assert losses_since(before, lossy) == {"held": 2, "missing": 50, "dropped by outputs": 5}


def test_figures_replace_what_stood_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    other = "| **skew** | | then | |\n| kept | | | |"
    old = f"| figure | |\n|---|---|\n{other}\n| **latency** | |\n| old | |"
    document.write_text(f"Before\n{BEGIN}\n{old}\n{END}\nAfter\n")
    report = Report("latency")
    report.at_most("a | b", 5.0, 7, "ms")

    write_block(document, ["- Machine: two"], "now", [report.as_json()])

    text = document.read_text()
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old" not in text
    assert f"{other}\n| **latency** | | now | |" in text
    assert "| a \\| b | <= 7 ms | 5 ms | met |" in text


def test_document_without_markers_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("nothing")

    with pytest.raises(MarkersMissingError):
        write_block(document, [], "now", [])
