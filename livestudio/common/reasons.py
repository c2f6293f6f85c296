"""Reasons that runner and workers give in English, in the language of whoever reads them.

They speak no Chinese: they have no Django and no reader. The table names each sentence with its
variable parts in braces; the studio carries the same table. What is not in it stays as it was said.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Final

from django.utils.translation import get_language

TABLE: Final = Path(__file__).parents[1] / "locale" / "reasons.zh-CN.json"
# What the API refuses with; the studio needs no copy of it.
REFUSALS: Final = TABLE.with_name("refusals.zh-CN.json")
_PART: Final = re.compile(r"\{(\w+)\}")
# Reasons that programs compare; whoever reads gets the sentence.
CODES: Final = {
    "quota_minutes": "The broadcast minutes of the day were used up.",
    "quota_tts_characters": "The characters for voice servers were used up.",
    "quota_llm_tokens": "The language model tokens of the day were used up.",
}


def translate_reason(text: str) -> str:
    """In the language that is active now; parts that are reasons themselves are translated too."""
    text = CODES.get(text, text)
    if not text or not (get_language() or "").startswith("zh"):
        return text
    exact, patterns = _table()
    if text in exact:
        return exact[text]
    for pattern, chinese in patterns:
        if match := pattern.fullmatch(text):
            parts = {name: translate_reason(part) for name, part in match.groupdict().items()}
            return chinese.format_map(parts)
    return text


@functools.cache
def _table() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Whole sentences, and those with variable parts: the most telling first."""
    table: dict[str, str] = {}
    for path in (REFUSALS, TABLE):
        table |= json.loads(path.read_text(encoding="utf-8"))
    exact = {english: chinese for english, chinese in table.items() if not _PART.search(english)}
    varying = sorted(
        (english for english in table if english not in exact),
        key=lambda english: -len(_PART.sub("", english)),
    )
    return exact, [(_pattern(english), table[english]) for english in varying]


def _pattern(english: str) -> re.Pattern[str]:
    pieces = _PART.split(english)
    written = [
        f"(?P<{piece}>.+?)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
    ]
    return re.compile("".join(written), re.DOTALL)
