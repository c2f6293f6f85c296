"""A pasted script becomes cues: a blank line begins the next one."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext as _

from livestudio.common.errors import InvalidInputError
from livestudio.common.reasons import translate_reason
from streams.models.rundown import CUE_TEXT_MAX_CHARACTERS
from streams.services.speech import check_text

_BLANK_LINE: Final = re.compile(r"\n[^\S\n]*\n\s*")


def read_script(script: str, language: str) -> list[str]:
    """The cue texts of a script, each checked by the parser that plays it.

    Raises InvalidInputError that names the cue by its number.
    """
    plain = script.replace("\r\n", "\n").replace("\r", "\n").strip()
    texts = [text.strip() for text in _BLANK_LINE.split(plain) if text.strip()]
    for number, text in enumerate(texts, start=1):
        _check(text, number, language)
    return texts


def _check(text: str, number: int, language: str) -> None:
    if len(text) > CUE_TEXT_MAX_CHARACTERS:
        message = _("Cue %(number)s has more than %(limit)s characters.")
        raise _refusal(message % {"number": number, "limit": CUE_TEXT_MAX_CHARACTERS})
    try:
        check_text(text, language=language)
    except InvalidInputError as error:
        reason = error.details[0].message if error.details else error.message
        message = _("Cue %(number)s (“%(start)s…”): %(reason)s")
        values = {"number": number, "start": text[:20], "reason": translate_reason(reason)}
        raise _refusal(message % values) from error


def _refusal(message: str) -> InvalidInputError:
    return InvalidInputError.of("script", message)
