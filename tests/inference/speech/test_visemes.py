"""Viseme tracks from phoneme timings."""

from __future__ import annotations

import pytest

from inference.engines.base import VISEMES, SpeechRequest, Timing
from inference.engines.speech.espeak.engine import create_engine
from inference.engines.speech.visemes import _ENGLISH, _MANDARIN, phonemes_to_visemes


def track(phonemes: str, language: str, step: float = 0.1) -> list[tuple[float, str, float]]:
    """The named track of phonemes that last `step` seconds each."""
    timings = [
        Timing("phoneme", name, round(index * step, 4))
        for index, name in enumerate(phonemes.split())
    ]
    return [(s, VISEMES[i], weight) for s, i, weight in phonemes_to_visemes(timings, language)]


def shapes(phonemes: str, language: str) -> list[str]:
    return [viseme for _, viseme, _ in track(phonemes, language)]


@pytest.mark.parametrize(
    ("phonemes", "expected"),
    [
        ("p b m", "PP PP PP"),
        ("f v T D t n k s", "FF TH DD nn kk SS"),
        ("S Z tS dZ r 3:", "CH RR"),
        ("w 'A: ,E i: O u:", "U aa E I O U"),
        ("j a", "I aa"),
        ("h 'u: ? a", "U aa"),
        ("aI eI oU OI aU", "aa I E I O U O I aa U"),
        ("_ a _:", "sil aa sil"),
    ],
)
def test_english_phonemes_take_their_shapes(phonemes: str, expected: str) -> None:
    assert shapes(phonemes, "en-US") == expected.split()


@pytest.mark.parametrize(
    ("phonemes", "expected"),
    [
        ("p ph m", "PP PP PP"),
        ("f t th l k X", "FF DD nn kk"),
        ("S; tS;h ts s. z.", "SS CH"),
        ("'A o- @ i u y", "aa E I U"),
        ("i[", "SS"),
        ("i.", "E I"),
        ("ong", "O kk"),
        ("@r", "E RR"),
        ("iA yE u@", "I aa U E U E"),
        ("ai ou", "aa I O U"),
        ("iou uei uai", "I O U E I U aa I"),
        ("A (en) 0 k (cmn) ai", "aa kk aa I"),
    ],
)
def test_mandarin_phonemes_take_their_shapes(phonemes: str, expected: str) -> None:
    assert shapes(phonemes, "zh-CN") == expected.split()


def test_diphthongs_split_sixty_forty_and_glides_thirty_seventy() -> None:
    assert track("ai t", "zh-CN", 0.2)[:3] == [(0.0, "aa", 1.0), (0.12, "I", 1.0), (0.2, "DD", 1.0)]
    assert track("iA t", "zh-CN", 0.2)[1] == (0.06, "aa", 1.0)
    assert [s for s, _, _ in track("iou t", "zh-CN", 0.2)] == [0.0, 0.05, 0.14, 0.2]


def test_short_vowels_open_less() -> None:
    assert track("t a t", "en-US", 0.06)[1] == (0.06, "aa", 0.75)
    assert track("t a t", "en-US", 0.07)[1] == (0.07, "aa", 1.0)


def test_pauses_under_120_ms_hold_the_last_shape() -> None:
    assert shapes("a _| t", "zh-CN") == ["aa", "DD"]
    assert [v for _, v, _ in track("a _ t", "en-US", 0.119)] == ["aa", "DD"]
    assert [v for _, v, _ in track("a _ t", "en-US", 0.121)] == ["aa", "sil", "DD"]
    assert [v for _, v, _ in track("a _: _ t", "en-US", 0.08)] == ["aa", "sil", "DD"]


@pytest.mark.parametrize("closure", ["p", "b", "m"])
def test_a_short_closure_starts_earlier_to_last_60_ms(closure: str) -> None:
    timings = [
        Timing("phoneme", "A:", 0.0),
        Timing("phoneme", closure, 0.200),
        Timing("phoneme", "A:", 0.225),
        Timing("phoneme", "_", 0.5),
    ]

    track = phonemes_to_visemes(timings, "en-US")

    assert track[1] == (0.165, VISEMES.index("PP"), 1.0)
    assert track[2][0] == 0.225


def test_the_silence_before_a_burst_belongs_to_the_closure() -> None:
    timings = [
        Timing("phoneme", "A", 0.0),
        Timing("phoneme", "_|", 0.200),
        Timing("phoneme", "p", 0.240),
        Timing("phoneme", "A", 0.270),
    ]

    assert phonemes_to_visemes(timings, "zh-CN")[1] == (0.2, VISEMES.index("PP"), 1.0)


def test_a_closure_at_the_very_start_takes_its_time_from_the_vowel() -> None:
    timings = [Timing("phoneme", "p", 0.0), Timing("phoneme", "A:", 0.02)]
    timings.append(Timing("phoneme", "_", 0.4))

    track = phonemes_to_visemes(timings, "en-US")

    assert [(s, VISEMES[i]) for s, i, _ in track] == [(0.0, "PP"), (0.06, "aa"), (0.4, "sil")]


@pytest.mark.parametrize(
    ("language", "text", "closures"),
    [
        ("en-US", "Bob may be my baby, and Pam made maple pumpkin pie before number five.", 19),
        ("zh-CN", "爸爸妈妈买苹果，朋友们跑步去报名，棒不棒？", 15),
    ],
)
def test_every_bilabial_of_real_speech_closes_for_a_frame(
    language: str, text: str, closures: int
) -> None:
    engine = create_engine()
    chunks = list(engine.synthesize(SpeechRequest(text, language)))
    timings = [timing for chunk in chunks for timing in chunk.timings]

    track = engine.visemes(timings, language)

    names = [t.text.lstrip("',") for t in timings if t.kind == "phoneme"]
    assert sum(name in ("p", "ph", "b", "m") for name in names) == closures
    ends = [*(entry[0] for entry in track[1:]), track[-1][0] + 1]
    closed = [
        end - start
        for (start, index, _), end in zip(track, ends, strict=True)
        if VISEMES[index] == "PP"
    ]
    assert len(closed) == closures
    assert min(closed) >= 0.040
    assert [entry[0] for entry in track] == sorted(entry[0] for entry in track)


@pytest.mark.parametrize("table", [_ENGLISH, _MANDARIN])
def test_tables_name_only_known_shapes_whose_shares_make_one(
    table: dict[str, tuple[tuple[str, float], ...]],
) -> None:
    for parts in table.values():
        assert {viseme for viseme, _ in parts} <= set(VISEMES)
        assert sum(share for _, share in parts) == pytest.approx(1.0)


def test_every_mnemonic_of_a_large_text_is_in_its_table() -> None:
    english = (
        "The quick brown fox jumps over the lazy dog. Here's a pure and sure tour of our fire "
        "power; boys enjoy their voyage. I'd rather measure the azure treasure, judge. Church "
        "bells, vision; thirty-three thieves thought. Bottle button little cotton battle. Near "
        "bear, car, four, poor, hour. Singing uncle. Which year, use, few. Rhythm, people, genre."
    )
    mandarin = (
        "是时候说再见了，二月的雨云，翁先生用熊猫儿唱歌，资料此刻在日本，女儿和儿子去学校，"
        "窗外的花全开了，追求快乐，群众选择，略有怪味，全家喝粥，春天飞雪，哼，哦，诶。"
    )
    engine = create_engine()
    for text, language, table in ((english, "en-US", _ENGLISH), (mandarin, "zh-CN", _MANDARIN)):
        chunks = engine.synthesize(SpeechRequest(text, language))
        names = {
            timing.text.lstrip("',%=")
            for chunk in chunks
            for timing in chunk.timings
            if timing.kind == "phoneme"
        }
        pauses = {name for name in names if name[:1] in ("_", "(", "")}
        assert names - pauses - set(table) <= {"h", "?"}
