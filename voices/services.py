"""Voices: made, changed, heard, removed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.audit import record
from accounts.models import Consent, Organization, User
from accounts.roles import SystemActor, require_permission
from accounts.services.consents import check_consent
from inference.spent_tokens import believed_tokens
from inference.tool_client import ToolError, run_tool
from livestudio.common import vault
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row, set_values, with_values
from metering.services.counting import (
    Holder,
    Reservation,
    count,
    require_room,
    reserve,
    settle,
)
from voices.errors import VoiceInUseError, VoicePreviewError, VoicePreviewUnavailableError
from voices.meters import TOKENS, characters_meter, meters_of
from voices.models import Voice, VoiceFallback
from voices.selectors import engine_settings
from voices.validators import SERVER_ENGINES, check_api_key, check_voice

FALLBACKS_MAXIMUM: Final = 5
PREVIEW_MAX_CHARACTERS: Final = 300
_FIELDS: Final = frozenset({"name", "engine", "language", "settings", "consent"})
# Not in the database under this name: it goes through the vault.
_KEY_FIELD: Final = "api_key"


def create_voice(
    *,
    organization: Organization,
    values: Mapping[str, Any],
    fallbacks: Sequence[UUID] = (),
    actor: User | SystemActor,
) -> Voice:
    """Save a voice. values: name, engine, language, settings, api_key. Raises InvalidInputError."""
    require_permission(actor, "voice.edit", organization)
    voice = Voice(organization=organization)
    checked = _checked(voice, values)
    with transaction.atomic():
        require_room(organization.pk, "voices", 1)
        _write(voice, values, checked)
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
    """Change a voice; what is on air keeps what it started with. None = keep the fallbacks.

    Without api_key among the values the sealed one stays, unless the voice moves to another server
    or engine: a key must not follow to a server it was not meant for.
    """
    require_permission(actor, "voice.edit", voice.organization)
    checked = _checked(voice, values)
    with transaction.atomic():
        lock_row(voice)
        _write(voice, values, checked)
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

    Raises InvalidInputError, VoicePreviewError (422), VoicePreviewUnavailableError (503),
    QuotaExceededError (409).
    """
    require_permission(actor, "voice.view", voice.organization)
    if not text.strip() or len(text) > PREVIEW_MAX_CHARACTERS:
        message = f"Give a text of 1 to {PREVIEW_MAX_CHARACTERS} characters."
        raise InvalidInputError.of("text", message)
    with _counted(voice, text) as used:
        sound, tokens = _speak(voice, text)
        used.update({characters_meter(voice.engine): len(text), TOKENS: tokens})
    return sound


@contextlib.contextmanager
def _counted(voice: Voice, text: str) -> Iterator[dict[str, int]]:
    """Set aside what a text takes, and count what it says it took, if it ends well.

    How many tokens that is nobody knows before: one is set aside, so that one must be left.
    """
    holder, used = Holder(voice.organization_id, "preview"), dict[str, int]()
    reserved: list[Reservation] = []
    try:
        for meter in meters_of(voice):
            amount = 1 if meter == TOKENS else len(text)
            reserved.append(reserve(holder, meter, amount, now=timezone.now()))
        yield used
    except BaseException:
        used.clear()
        raise
    finally:
        for reservation in reserved:
            settle(reservation, used.pop(reservation.meter, 0))
    if tokens := used.get(TOKENS, 0):  # told by a server that was not expected to
        count(holder, TOKENS, tokens, now=timezone.now())


def _speak(voice: Voice, text: str) -> tuple[bytes, int]:
    """The sound as WAV, and the tokens that its server says it took."""
    told, _, sound = _run_preview(voice, text).partition(b"\n")
    return sound, believed_tokens(json.loads(told)["tokens"])


def _run_preview(voice: Voice, text: str) -> bytes:
    try:
        return run_tool(
            "preview",
            {
                "engine": voice.engine,
                "language": voice.language,
                "settings": engine_settings(voice),
                "text": text,
            },
        )
    except ToolError as error:
        if error.retryable:
            raise VoicePreviewUnavailableError(error.message) from error
        raise VoicePreviewError(error.message) from error


def _checked(voice: Voice, values: Mapping[str, Any]) -> Voice:
    """The voice as it would be, before the transaction: a server's name is looked up for it.

    Nobody else may have to wait for a name server. Raises InvalidInputError.
    """
    changed = with_values(voice, _own(values))
    check_voice(**_spoken_by(changed))
    return changed


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _FIELDS & values.keys()}


def _spoken_by(voice: Voice) -> dict[str, Any]:
    return {"engine": voice.engine, "language": voice.language, "settings": voice.settings}


def _write(voice: Voice, values: Mapping[str, Any], checked: Voice) -> None:
    before = _server_of(voice)
    set_values(voice, _own(values))
    if _spoken_by(voice) != _spoken_by(checked):
        check_voice(**_spoken_by(voice))  # of two changes at once each gave a part
    check_consent(voice.consent, voice.organization, Consent.Scope.VOICE)
    _seal_key(voice, values.get(_KEY_FIELD), is_moved=before != _server_of(voice))
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


def _server_of(voice: Voice) -> tuple[str, Any]:
    """What an API key belongs to."""
    address = voice.settings.get("base_url") if isinstance(voice.settings, dict) else None
    return voice.engine, address


def _seal_key(voice: Voice, api_key: str | None, *, is_moved: bool) -> None:
    """Take in a key; None keeps the present one. Raises InvalidInputError."""
    if api_key is not None:
        check_api_key(api_key, engine=voice.engine)
        vault.seal_into(voice, "sealed_api_key", api_key)
    elif is_moved and voice.has_api_key:
        if voice.engine in SERVER_ENGINES:
            message = "Give the API key again with a new address, or an empty one."
            raise InvalidInputError.of(_KEY_FIELD, message, "required")
        vault.seal_into(voice, "sealed_api_key", "")


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
