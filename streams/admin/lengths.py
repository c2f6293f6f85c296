"""How long a cue will take, estimated from its text before anybody has spoken it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inference.text.script import ScriptError, parse_script
from streams.models import Cue

# Spoken by the built-in voices at their usual rate: Han characters (and digits, which are read
# out one by one), and Latin letters with their blanks; measured on the demo show.
HAN_PER_SECOND: Final = 3.7
LATIN_PER_SECOND: Final = 16.0
SENTENCE_GAP_SECONDS: Final = 0.16
_FIRST_HAN: Final = "\u2e80"


def estimate_text_seconds(text: str, language: str) -> float:
    """Seconds that the voice needs for a cue text, pauses included. Bad text counts as 0."""
    try:
        sentences = parse_script(text, language)
    except ScriptError:
        return 0.0
    spoken = [sentence for sentence in sentences if sentence.text.strip()]
    return (
        sum(_sentence_seconds(sentence.text) for sentence in spoken)
        + SENTENCE_GAP_SECONDS * len(spoken)
        + sum(sentence.pause_after_seconds for sentence in sentences)
    )


def estimate_cue_seconds(cue: Cue, language: str) -> float:
    """Seconds of one cue; a clip's own length is not known here and counts as 0."""
    if cue.kind == "pause":
        return cue.pause_seconds
    return estimate_text_seconds(cue.text, language) if cue.kind == "speech" else 0.0


def estimate_rundown_seconds(cues: Iterable[Cue], language: str) -> float:
    """Seconds of the whole rundown, once through."""
    return sum(estimate_cue_seconds(cue, language) for cue in cues)


def clock_text(seconds: float) -> str:
    """`1:05` or `1:02:03`, as an on-air clock shows it."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _sentence_seconds(text: str) -> float:
    read = [character for character in text if character.isalnum() or character == " "]
    slow = sum(character >= _FIRST_HAN or character.isdigit() for character in read)
    return slow / HAN_PER_SECOND + (len(read) - slow) / LATIN_PER_SECOND
