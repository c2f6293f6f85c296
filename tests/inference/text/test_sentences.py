"""Where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("大家好！今天好吗？好；再见。", ["大家好！", "今天好吗？", "好；", "再见。"]),
        ("直播……开始了！！！好", ["直播……", "开始了！！！", "好"]),
        ("“真的吗？”她问。", ["“真的吗？”", "她问。"]),
        ("（好。）走吧", ["（好。）", "走吧"]),
        ("Hello.你好。", ["Hello.", "你好。"]),
        ("只要3.5元。快", ["只要3.5元。", "快"]),
        ("One. Two! Three? Four; five", ["One.", "Two!", "Three?", "Four;", "five"]),
        ("Line one\nline two\n\n", ["Line one", "line two"]),
        ("Dr. Smith paid $3.50 to J. Lee.", ["Dr. Smith paid $3.50 to J. Lee."]),
        ("Use e.g. this. Then that.", ["Use e.g. this.", "Then that."]),
        ("He left at 5 p.m. Then I came.", ["He left at 5 p.m.", "Then I came."]),
        ("At 5 p.m. sharp, etc. and so on.", ["At 5 p.m. sharp, etc. and so on."]),
        ("It was I. You know.", ["It was I.", "You know."]),
        ("No. 5 is out. No. Never.", ["No. 5 is out.", "No.", "Never."]),
        ("1. First thing. 2. Second", ["1. First thing.", "2. Second"]),
        ("See www.a.com/x?b=1! Now.", ["See www.a.com/x?b=1!", "Now."]),
        ("Mail me@a.co.uk. Thanks.", ["Mail me@a.co.uk.", "Thanks."]),
        ('"Really?" she said. "Go!" Then', ['"Really?" she said.', '"Go!"', "Then"]),
        ('One\n"Two"\n(Three)', ["One", '"Two"', "(Three)"]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("？？？", []),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_stops(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


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
