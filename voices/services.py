"""Voices: made, changed, heard, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from inference.tool_client import ToolError, run_tool
from livestudio.common.errors import ErrorDetail, InvalidInputError
from voices.errors import VoiceInUseError, VoicePreviewError, VoicePreviewUnavailableError
from voices.models import Voice, VoiceFallback
from voices.validators import check_voice

FALLBACKS_MAXIMUM: Final = 5
PREVIEW_MAX_CHARACTERS: Final = 300
_FIELDS: Final = frozenset({"name", "engine", "language", "settings"})


def create_voice(
    *,
    organization: Organization,
    values: Mapping[str, Any],
    fallbacks: Sequence[UUID] = (),
    actor: User | SystemActor,
) -> Voice:
    """Save a voice. values: name, engine, language, settings. Raises InvalidInputError."""
    require_permission(actor, "voice.edit", organization)
    voice = Voice(organization=organization)
    with transaction.atomic():
        _write(voice, values)
        _replace_fallbacks(voice, fallbacks)
        record(actor, "voices.voice.created", voice, data={"name": voice.name})
    return voice


def update_voice(
    *,
    voice: Voice,
    values: Mapping[str, Any],
    fallbacks: Sequence[UUID] | None = None,
    actor: User | SystemActor,
) -> Voice:
    """Change a voice; what is on air keeps what it started with. None = keep the fallbacks."""
    require_permission(actor, "voice.edit", voice.organization)
    with transaction.atomic():
        _write(voice, values)
        if fallbacks is not None:
            _replace_fallbacks(voice, fallbacks)
        record(actor, "voices.voice.changed", voice, data={"fields": sorted(values)})
    return voice


def delete_voice(*, voice: Voice, actor: User | SystemActor) -> None:
    """Remove a voice. Raises VoiceInUseError while a show needs it."""
    require_permission(actor, "voice.edit", voice.organization)
    try:
        with transaction.atomic():
            record(actor, "voices.voice.deleted", voice, data={"name": voice.name})
            voice.delete()
    except ProtectedError as error:
        raise VoiceInUseError from error


def preview_voice(*, voice: Voice, text: str, actor: User | SystemActor) -> bytes:
    """How the voice says a text, as WAV. It is this voice or an error: no fallback speaks.

    Raises InvalidInputError, VoicePreviewError (422), VoicePreviewUnavailableError (503).
    """
    require_permission(actor, "voice.view", voice.organization)
    if not text.strip() or len(text) > PREVIEW_MAX_CHARACTERS:
        message = f"Give a text of 1 to {PREVIEW_MAX_CHARACTERS} characters."
        raise InvalidInputError.of("text", message)
    try:
        return run_tool(
            "preview",
            {
                "engine": voice.engine,
                "language": voice.language,
                "settings": voice.settings,
                "text": text,
            },
        )
    except ToolError as error:
        if error.retryable:
            raise VoicePreviewUnavailableError(error.message) from error
        raise VoicePreviewError(error.message) from error


def _write(voice: Voice, values: Mapping[str, Any]) -> None:
    for name in _FIELDS & values.keys():
        setattr(voice, name, values[name])
    check_voice(engine=voice.engine, language=voice.language, settings=voice.settings)
    try:
        voice.full_clean(validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            voice.save()
    except ValidationError as error:
        raise _invalid(error) from error
    except IntegrityError as error:
        raise InvalidInputError.of(
            "name", "Another voice of your organization has this name.", "unique"
        ) from error


def _invalid(error: ValidationError) -> InvalidInputError:
    details = [
        ErrorDetail(field, "invalid", message)
        for field, messages in error.message_dict.items()
        for message in messages
    ]
    return InvalidInputError(details=tuple(details))


def _replace_fallbacks(voice: Voice, wanted: Sequence[UUID]) -> None:
    """In order of use. Only voices of the same organization count as existing."""
    if len(wanted) > FALLBACKS_MAXIMUM or len(set(wanted)) != len(wanted):
        message = f"Give at most {FALLBACKS_MAXIMUM} fallbacks, each once."
        raise InvalidInputError.of("fallbacks", message)
    if voice.pk in wanted:
        raise InvalidInputError.of("fallbacks", "A voice cannot be its own fallback.")
    rows = Voice.objects.filter(organization_id=voice.organization_id)
    found = rows.in_bulk(list(wanted))
    for position, voice_id in enumerate(wanted):
        if voice_id not in found or found[voice_id].language != voice.language:
            message = "There is no such voice, or it speaks another language."
            raise InvalidInputError.of(f"fallbacks.{position}", message, "not_found")
    VoiceFallback.objects.filter(voice=voice).delete()
    VoiceFallback.objects.bulk_create(
        VoiceFallback(voice=voice, fallback=found[voice_id], position=position)
        for position, voice_id in enumerate(wanted)
    )
