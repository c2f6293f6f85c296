"""What the sentences of a voice count by, of the meters that plans may limit."""

from __future__ import annotations

from typing import Final

from inference.catalog import get_engine
from voices.models import Voice

CHARACTERS: Final = "tts_characters"
BUILTIN_CHARACTERS: Final = "builtin_tts_characters"
TOKENS: Final = "llm_tokens"


def meters_of(voice: Voice) -> tuple[str, ...]:
    """Always in this order, in which their counters are locked."""
    is_paid_by_tokens = get_engine("speech", voice.engine).spends_tokens(voice.settings)
    characters = characters_meter(voice.engine)
    return (characters, TOKENS) if is_paid_by_tokens else (characters,)


def characters_meter(engine: str) -> str:
    """Of a server's voices, or of those made on this machine."""
    return CHARACTERS if get_engine("speech", engine).is_remote else BUILTIN_CHARACTERS
