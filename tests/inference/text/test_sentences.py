"""Where sentences end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text.script import parse_script
from inference.text.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


# Cases that the rundown of the studio is tried on too, which marks the sentence that is said.
TABLE = json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_sentences_end_where_a_reader_stops(text: str, expected: list[str]) -> None:
    assert [sentence.text for sentence in parse_script(text, "zh-CN")] == expected


def test_long_chinese_is_cut_at_a_comma() -> None:
    text = "今天给大家带来的是，" * 20

    cut = sentences(text)

    assert "".join(cut) == text
    assert all(len(piece) <= 80 and piece.endswith("，") for piece in cut)


def test_long_english_is_cut_at_a_comma_and_without_one_at_a_space() -> None:
    with_commas = sentences("some words here, " * 30)
    without = sentences("word " * 100)

    assert all(len(piece) <= 200 and piece.endswith(",") for piece in with_commas)
    assert all(len(piece) <= 200 and piece.split()[-1] == "word" for piece in without)


def test_a_comma_inside_a_number_is_no_place_to_cut() -> None:
    text = "x" * 150 + " costs 1,299,000 and " + "y" * 100

    assert any("1,299,000" in piece for piece in sentences(text))


def test_an_endless_word_is_cut_at_the_limit() -> None:
    assert [len(piece) for piece in sentences("a" * 450)] == [200, 200, 50]


@given(st.text(alphabet='ab好。，.!? \n"”1;…(）', max_size=400))
def test_no_letter_is_lost_or_doubled(text: str) -> None:
    joined = "".join(sentences(text))

    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]
