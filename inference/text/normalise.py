"""Text as a basic voice must get it, by language."""

from __future__ import annotations

from inference.text.characters import spoken_characters
from inference.text.chinese import normalise_chinese
from inference.text.english import normalise_english
from inference.text.lexicon import Lexicon, phonetic_rules
from inference.text.rewriting import NormalisedText

__all__ = ["NormalisedText", "normalise"]


def normalise(text: str, language: str, lexicon: Lexicon = ()) -> NormalisedText:
    """Numbers, symbols and doubtful readings written out as they are spoken.

    language: zh-CN or en-US; others are treated as English, which changes least. lexicon: the
    house's own readings, which come before every rule.
    """
    plain = ((spoken_characters(word).text, reading) for word, reading in lexicon)
    own = phonetic_rules(tuple(pair for pair in plain if pair[0]), language)
    if language.startswith("zh"):
        return normalise_chinese(text, own)
    return normalise_english(text, own)
