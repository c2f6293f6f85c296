"""Cue text with directives."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text.script import ScriptError, ScriptSentence, parse_script


def test_directives_keep_their_place_in_their_sentence() -> None:
    script = parse_script("大家好[wave]，欢迎。[happy]今天好！", "zh-CN")

    assert script == (
        ScriptSentence("大家好，欢迎。", ((3, "wave"),)),
        ScriptSentence("今天好！", ((0, "happy"),)),
    )


def test_a_pause_ends_the_sentence_and_follows_it() -> None:
    script = parse_script("Hello [pause 0.8] world. [PAUSE 2][ Heart ] Bye.", "en-US")

    assert script == (
        ScriptSentence("Hello", (), 0.8),
        ScriptSentence("world.", (), 2.0),
        ScriptSentence("Bye.", ((0, "heart"),)),
    )


def test_a_directive_behind_the_last_sentence_belongs_to_its_end() -> None:
    assert parse_script("Bye. [wave]", "en-US") == (ScriptSentence("Bye.", ((4, "wave"),)),)


def test_directives_and_pauses_without_text_stay() -> None:
    assert parse_script("[wave]", "en-US") == (ScriptSentence("", ((0, "wave"),)),)
    assert parse_script("[pause 1]Hi", "en-US") == (
        ScriptSentence("", (), 1.0),
        ScriptSentence("Hi"),
    )
    assert parse_script(" \n", "en-US") == ()


def test_escaped_brackets_are_text() -> None:
    assert parse_script(r"See \[1\] [wink]now", "en-US") == (
        ScriptSentence("See [1] now", ((8, "wink"),)),
    )


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("Hi [wawe]", 3, "wave"),
        ("[]", 0, "not a directive"),
        ("你好[pause]", 2, "0.1 to 30 seconds"),
        ("[pause 99]", 0, "0.1 to 30 seconds"),
        ("[pause nan]", 0, "0.1 to 30 seconds"),
        ("[pause -1]", 0, "0.1 to 30 seconds"),
        ("ab]", 2, "no partner"),
        ("ab [wave", 3, "no partner"),
        ("[a\nb]", 0, "no partner"),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, position: int, words: str) -> None:
    with pytest.raises(ScriptError, match=words) as caught:
        parse_script(text, "zh-CN")

    assert caught.value.position == position


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ScriptError, match="zh-CN"):
        parse_script("Bonjour.", "fr-FR")


@given(st.text(alphabet="a好。. [wave]pus0.8\\\n", max_size=200))
def test_any_text_gives_sentences_or_a_script_error(text: str) -> None:
    mistake = None
    script: tuple[ScriptSentence, ...] = ()
    try:
        script = parse_script(text, "zh-CN")
    except ScriptError as error:
        mistake = error
    assert mistake is None or 0 <= mistake.position < len(text)
    for sentence in script:
        assert all(0 <= offset <= len(sentence.text) for offset, _ in sentence.directives)
        assert sentence.text == sentence.text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000,
        "a. " * 20_000,
        "." * 50_000 + "a",
        "a" * 60_000 + "@",
        "a@b.c " * 10_000,
        "a. [happy]" * 5_000,
        r"\[" * 20_000,
        "，" * 60_000,
    ],
    ids=lambda text: text[:6],
)
def test_long_texts_take_time_in_proportion(text: str) -> None:
    before = time.process_time()
    parse_script(text, "zh-CN")

    assert time.process_time() - before < 2  # quadratic steps took 16 s and more


def test_the_web_side_may_import_the_parser() -> None:
    code = (
        "import sys, inference.text.script;"
        "print([m for m in ('numpy', 'av', 'torch', 'pypinyin', 'espeakng_loader')"
        " if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert printed.stdout.strip() == b"[]"
