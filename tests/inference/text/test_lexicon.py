"""A house's own readings: what may be written, and how each kind of voice gets them."""

from __future__ import annotations

import pytest

from inference.engines.base import SpeechRequest
from inference.engines.speech.espeak.engine import create_engine
from inference.text.lexicon import (
    SETTING,
    ReadingError,
    check_reading,
    check_word,
    lexicon_of,
    lexicon_version,
    respell,
)
from inference.text.normalise import normalise
from inference.text.pinyin import Syllable, read_syllables


def phonemes(text: str, language: str, *lexicon: tuple[str, str]) -> list[str]:
    """Sounds alone: stress and pauses depend on how characters are grouped."""
    settings = {SETTING: [list(pair) for pair in lexicon]}
    chunks = create_engine().synthesize(SpeechRequest(text, language, settings))
    told = [t.text for chunk in chunks for t in chunk.timings if t.kind == "phoneme"]
    return [sound for text in told if (sound := text.strip("'_|:"))]


@pytest.mark.parametrize("written", ["chong2 qing4", "chong2qing4", "chóng qìng", "Chong2 Qing4"])
def test_pinyin_is_read_with_numbers_and_with_marks(written: str) -> None:
    assert read_syllables(written) == (Syllable("chong", 2), Syllable("qing", 4))


@pytest.mark.parametrize("written", ["nv3", "nü3", "nǚ", "nu:3"])
def test_u_umlaut_may_be_written_as_keyboards_allow(written: str) -> None:
    assert read_syllables(written) == (Syllable("nv", 3),)


@pytest.mark.parametrize(
    ("reading", "language"),
    [
        ("chong2 qing4", "zh-CN"),
        ("虫庆", "zh-CN"),
        ("爱 phone", "zh-CN"),
        ("engine ex", "en-US"),
        ("mar-ee's", "en-US"),
    ],
)
def test_readings_that_can_be_said(reading: str, language: str) -> None:
    check_reading(reading, language)


@pytest.mark.parametrize(
    ("reading", "language", "code", "subject"),
    [
        ("chong2 qingg4", "zh-CN", "pinyin_unknown", "qingg4"),
        ("chong6", "zh-CN", "pinyin_malformed", "chong6"),
        ("ni3 hao", "zh-CN", "pinyin_malformed", "hao"),
        ("ni3hao 好", "zh-CN", "pinyin_malformed", "ni3hao"),
        ("<speak>", "en-US", "reading_malformed", ""),
        ("[wave]", "zh-CN", "reading_malformed", ""),
        ("", "en-US", "reading_malformed", ""),
    ],
)
def test_readings_that_cannot_be_said_are_named(
    reading: str, language: str, code: str, subject: str
) -> None:
    with pytest.raises(ReadingError) as refused:
        check_reading(reading, language)

    assert (refused.value.code, refused.value.subject) == (code, subject)
    assert subject in refused.value.message


def test_a_word_without_sound_is_refused() -> None:
    with pytest.raises(ReadingError, match="letters"):
        check_word("!?")


def test_the_built_in_voice_says_the_reading() -> None:
    as_it_would = phonemes("我们的长龙开播了。", "zh-CN")
    as_listed = phonemes("我们的长龙开播了。", "zh-CN", ("长龙", "zhang3 long2"))

    assert as_listed != as_it_would
    assert as_listed == phonemes("我们的掌龙开播了。", "zh-CN")


def test_every_syllable_is_spoken_in_chinese() -> None:
    for written in ("xiong1", "qiong2", "jiong3", "nv3", "lve4", "er2", "zhuang4"):
        assert "(en)" not in phonemes("他们好。", "zh-CN", ("他们", written)), written


def test_an_english_word_is_respelled_and_numbers_around_it_stay() -> None:
    lexicon = lexicon_of({SETTING: [["nginx", "engine ex"]]})

    spoken = normalise("NGINX costs $5, nginxes do not.", "en-US", lexicon).text

    assert spoken == "engine ex costs 5 dollars, nginxes do not."


def test_the_list_comes_before_the_rules_for_numbers() -> None:
    lexicon = lexicon_of({SETTING: [["618", "liu4 yao1 ba1"]]})

    assert normalise("618大促，618元", "zh-CN", lexicon).text == "liu4yao1ba1大促，liu4yao1ba1元"
    assert "六百" in normalise("618元", "zh-CN").text


def test_words_of_the_list_may_be_written_in_wide_or_rare_characters() -> None:
    lexicon = lexicon_of({SETTING: [["𠮷野家", "ji2 ye3 jia1"], ["ＡＢ", "安宝"]]})

    assert normalise("𠮷野家的AB", "zh-CN", lexicon).text == "ji2ye3jia1的安宝"


def test_voices_that_take_no_pinyin_get_characters_that_sound_so() -> None:
    lexicon = lexicon_of({SETTING: [["重庆", "chong2 qing4"], ["AI", "ei1 ai4"]]})

    spoken = respell("欢迎来到重庆，AI主播。", "zh-CN", lexicon)

    assert spoken.text == "欢迎来到崇庆，诶爱主播。"
    assert spoken.source_position(spoken.text.index("主")) == "欢迎来到重庆，AI主播。".index("主")


def test_the_longest_word_is_meant_and_capitals_are_kept_apart_where_written() -> None:
    lexicon = lexicon_of({SETTING: [["US", "you ess"], ["US open", "you ess oh pen"]]})

    spoken = respell("The US open lets us in the US.", "en-US", lexicon)

    assert spoken.text == "The you ess oh pen lets us in the you ess."


def test_sounds_are_kept_by_the_version_of_the_list() -> None:
    one = lexicon_of({SETTING: [["a", "b"]]})

    assert lexicon_version([one]) == lexicon_version([lexicon_of({SETTING: [("a", "b")]})])
    assert lexicon_version([one]) != lexicon_version([lexicon_of({SETTING: [["a", "c"]]})])
    assert lexicon_version([one]) != lexicon_version([lexicon_of({})])
    assert lexicon_of({SETTING: ["nonsense", ["a"], None]}) == ()
