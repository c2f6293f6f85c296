"""The list of readings: kept for a voice or a language, and handed to what speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from inference.catalog import LANGUAGES
from inference.text.lexicon import (
    READING_MAX_CHARACTERS,
    WORD_MAX_CHARACTERS,
    ReadingError,
    check_reading,
    check_word,
)
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row
from voices.models import Pronunciation, Voice

# They ride in every voice of a broadcast, and each is looked for in each sentence.
PRONUNCIATIONS_MAXIMUM: Final = 500
_FIELDS: Final = ("language", "voice", "text", "reading")


def create_pronunciation(
    *, organization: Organization, values: Mapping[str, Any], actor: User | SystemActor
) -> Pronunciation:
    """Add a word. values: language, voice (or None), text, reading. Raises InvalidInputError."""
    require_permission(actor, "voice.edit", organization)
    if organization_words(organization).count() >= PRONUNCIATIONS_MAXIMUM:
        message = f"A list holds at most {PRONUNCIATIONS_MAXIMUM} words. Remove some first."
        raise InvalidInputError.of("text", message, "too_many")
    row = Pronunciation(organization=organization)
    with transaction.atomic():
        _write(row, values)
        record(actor, "voices.pronunciation.created", row, data={"text": row.text})
    return row


def update_pronunciation(
    *, row: Pronunciation, values: Mapping[str, Any], actor: User | SystemActor
) -> Pronunciation:
    """Change a word; broadcasts that start from now on say it so. Raises InvalidInputError."""
    require_permission(actor, "voice.edit", row.organization)
    with transaction.atomic():
        lock_row(row)
        _write(row, values)
        record(actor, "voices.pronunciation.changed", row, data={"text": row.text})
    return row


def delete_pronunciation(*, row: Pronunciation, actor: User | SystemActor) -> None:
    """Let the voices read the word as they would."""
    require_permission(actor, "voice.edit", row.organization)
    with transaction.atomic():
        record(actor, "voices.pronunciation.deleted", row, data={"text": row.text})
        row.delete()


def organization_words(organization: Organization) -> Any:
    """The whole list of an organization."""
    return Pronunciation.objects.for_organization(organization)


def lexicon_for(voice: Voice) -> list[list[str]]:
    """[[word, reading], ...] as an engine takes them; the voice's own come before the general."""
    rows = Pronunciation.objects.filter(
        Q(voice=None) | Q(voice=voice),
        organization_id=voice.organization_id,
        language=voice.language,
    ).order_by("text")
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.voice_id is not None):
        found[row.text.casefold()] = [row.text, row.reading]
    return list(found.values())


def check_pronunciation(row: Pronunciation) -> None:
    """Raises InvalidInputError naming every field that is wrong."""
    details = [*_check_length("text", row.text, WORD_MAX_CHARACTERS)]
    details += _check_length("reading", row.reading, READING_MAX_CHARACTERS)
    if row.language not in LANGUAGES:
        details.append(ErrorDetail("language", "unknown", f"Use {' or '.join(LANGUAGES)}."))
    voice = row.voice
    if voice is not None and voice.organization_id != row.organization_id:
        details.append(ErrorDetail("voice", "not_found", "There is no such voice."))
    elif voice is not None and voice.language != row.language:
        message = "This voice speaks another language."
        details.append(ErrorDetail("voice", "other_language", message))
    if not details:
        details += _check_words(row)
    if details:
        raise InvalidInputError(details=tuple(details))


def _check_words(row: Pronunciation) -> list[ErrorDetail]:
    details = []
    try:
        check_word(row.text)
    except ReadingError as error:
        details.append(ErrorDetail("text", error.code, error.message))
    try:
        check_reading(row.reading, row.language)
    except ReadingError as error:
        details.append(ErrorDetail("reading", error.code, error.message))
    return details


def _check_length(field: str, value: str, maximum: int) -> list[ErrorDetail]:
    if 0 < len(value) <= maximum:
        return []
    return [ErrorDetail(field, "length", f"Give 1 to {maximum} characters.")]


def _write(row: Pronunciation, values: Mapping[str, Any]) -> None:
    for name in _FIELDS:
        if name in values:
            value = values[name]
            setattr(row, name, value.strip() if isinstance(value, str) else value)
    check_pronunciation(row)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = "The list has this word already."
        raise InvalidInputError.of("text", message, "unique") from error
