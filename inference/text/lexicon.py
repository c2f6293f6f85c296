"""A house's own readings: words of a list, said as the list says, for any voice.

A reading is pinyin with tones (`chong2 qing4`), Chinese characters that sound so, or a respelling
in Latin letters (`engine ex`). It rides in a voice's settings as `lexicon`: [[word, reading], ...].
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from inference.text.pinyin import read_syllables
from inference.text.rewriting import NormalisedText, Rule, rewrite, unchanged

Lexicon = tuple[tuple[str, str], ...]

SETTING: Final = "lexicon"
WORD_MAX_CHARACTERS: Final = 100
READING_MAX_CHARACTERS: Final = 200
_LATIN: Final = "A-Za-z0-9\u00c0-\u024f"
# What a respelling is made of: nothing that a voice would read out by its name.
_SPOKEN: Final = rf"{_LATIN}\u3007\u3400-\u4dbf\u4e00-\u9fff"
_RESPELLING: Final = re.compile(rf"[{_SPOKEN}][{_SPOKEN} '’.,，、-]*")
_LOOKS_LIKE_PINYIN: Final = re.compile(r"[A-Za-zü:]+[0-9]")


class ReadingError(ValueError):
    """A word or reading that cannot be used. code: stable snake_case; subject: what is wrong."""

    def __init__(self, code: str, message: str, subject: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.subject = subject


def check_word(word: str) -> None:
    """Raises ReadingError unless there is something in the word that is spoken."""
    if not any(character.isalnum() for character in word):
        raise ReadingError("word_unspeakable", "Give a word with letters, digits or characters.")


def check_reading(reading: str, language: str) -> None:
    """Raises ReadingError saying what a reading of this language is made of."""
    if language.startswith("zh") and (syllables := read_syllables(reading)):
        for syllable in syllables:
            if not syllable.exists:
                written = f"{syllable.letters}{syllable.tone}"
                message = f"There is no pinyin syllable {written}. Write it as in ni3 hao3."
                raise ReadingError("pinyin_unknown", message, written)
        return
    if language.startswith("zh") and _LOOKS_LIKE_PINYIN.search(reading):
        wrong = next(part for part in reading.split() if not read_syllables(part))
        message = (
            f"{wrong} is not pinyin. Write each syllable with its tone from 1 to 5, as in ni3 hao3."
        )
        raise ReadingError("pinyin_malformed", message, wrong)
    if not _RESPELLING.fullmatch(reading):
        message = "Write the reading in plain letters or Chinese characters, without signs."
        raise ReadingError("reading_malformed", message)


def lexicon_of(settings: dict[str, Any]) -> Lexicon:
    """The list in a voice's settings, longest words first; entries of a wrong form are left out."""
    raw = settings.get(SETTING) or ()
    pairs = [tuple(item) for item in raw if isinstance(item, list | tuple) and len(item) == 2]
    words = [(str(word), str(reading)) for word, reading in pairs if word]
    return tuple(sorted(words, key=lambda pair: (-len(pair[0]), pair[0])))


def lexicon_version(lexicons: Iterable[Lexicon]) -> str:
    """Equal only for equal lists: part of the key under which spoken sentences are kept."""
    written = json.dumps(list(lexicons), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def respell(text: str, language: str, lexicon: Lexicon) -> NormalisedText:
    """The text for a voice that takes words only: each listed word as one would misspell it."""
    return rewrite(unchanged(text), _rules(lexicon, language, _in_characters))


def phonetic_rules(lexicon: Lexicon, language: str) -> tuple[Rule, ...]:
    """Rules for eSpeak, which takes pinyin inside Chinese text."""
    return _rules(lexicon, language, _in_pinyin)


def _rules(lexicon: Lexicon, language: str, spell: Callable[[str], str]) -> tuple[Rule, ...]:
    """One rule for the whole list: of words that begin at one place, the longest is meant."""
    if not lexicon:
        return ()
    is_chinese = language.startswith("zh")
    said = {word: spell(reading) if is_chinese else reading for word, reading in lexicon}
    pattern = re.compile("|".join(_pattern(word) for word in said))
    return ((pattern, lambda match: said.get(match[0]) or said[match[0].lower()]),)


def _pattern(word: str) -> str:
    """Whole words only where letters are written together; small letters stand for any case."""
    body = re.escape(word)
    if word == word.lower():
        body = f"(?i:{body})"
    before = rf"(?<![{_LATIN}])" if re.match(f"[{_LATIN}]", word) else ""
    after = rf"(?![{_LATIN}])" if re.search(f"[{_LATIN}]$", word) else ""
    return before + body + after


def _in_pinyin(reading: str) -> str:
    syllables = read_syllables(reading)
    return "".join(item.for_espeak for item in syllables) if syllables else reading


def _in_characters(reading: str) -> str:
    syllables = read_syllables(reading)
    return "".join(item.character for item in syllables) if syllables else reading
