"""Outputs of an organization, and what is done with them on air. Keys go in and never come out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from livestudio.common import vault
from livestudio.common.egress import RTMP_SCHEMES, check_destination
from livestudio.common.errors import EgressRefusedError, ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row, set_values, with_values
from streams.errors import NotLiveError, OutputAlreadyAddedError, OutputInUseError
from streams.models import Broadcast, BroadcastOutput, ControlCommand, Output
from streams.models.broadcast import FINAL_STATES, OutputDesired
from streams.models.output import STREAM_KEY_MAX_CHARACTERS, OutputKind
from streams.poke import poke_consoles
from streams.services.commands import Order, find_command, issue_command, require_on_air
from streams.services.lifecycle import attach_output

Actor = User | SystemActor

HINT_CHARACTERS: Final = 4
# A hint of a short key would give most of it away.
HINT_KEY_MIN_CHARACTERS: Final = 12
_KEY_PATTERN: Final = re.compile(r"[\x21-\x7e]+")
_FILE_NAME_PATTERN: Final = re.compile(r"[\w\-]{1,80}\.mp4")
# For who asks for a file and does not care: the time of the start is added to each name.
_FILE_NAME: Final = "broadcast.mp4"


def create_output(
    *, organization: Organization, values: Mapping[str, Any], stream_key: str, actor: Actor
) -> Output:
    """Save a destination. Raises EgressRefusedError for an address that must not be reached."""
    require_permission(actor, "output.edit", organization)
    output = Output(organization=organization, **values)
    check_address(output)
    _seal_key(output, stream_key)
    with transaction.atomic():
        output.save()
        record(actor, "streams.output.created", output)
    return output


def update_output(
    *, output: Output, values: Mapping[str, Any], stream_key: str | None, actor: Actor
) -> Output:
    """Change a destination; a stream key of None keeps the sealed one. Airings keep their address.

    A new address needs the key again: a key must not follow to a server it was not meant for.
    """
    require_permission(actor, "output.edit", output.organization)
    changed = with_values(output, values)
    check_address(changed)
    with transaction.atomic():
        lock_row(output)
        moved = "url" in values and values["url"] != output.url
        set_values(output, values)
        if (output.kind, output.url) != (changed.kind, changed.url):
            check_address(output)  # of two changes at once each gave a part
        if stream_key is not None:
            _seal_key(output, stream_key)
        elif moved and output.sealed_stream_key:
            message = "Give the stream key again with a new address."
            raise InvalidInputError.of("stream_key", message, "required")
        output.save()
        record(actor, "streams.output.changed", output)
    return output


def delete_output(*, output: Output, actor: Actor) -> None:
    """Forget a destination and its key. Raises OutputInUseError while it is on air."""
    require_permission(actor, "output.edit", output.organization)
    with transaction.atomic():
        lock_row(output)
        if output.airings.exclude(broadcast__state__in=FINAL_STATES).exists():
            raise OutputInUseError
        record(actor, "streams.output.deleted", output)
        output.delete()


def rotate_key(*, output: Output, stream_key: str, actor: Actor) -> Output:
    """Replace the key for the airings to come, and on air where the old one is in use."""
    require_permission(actor, "output.edit", output.organization)
    require_key(stream_key)
    with transaction.atomic():
        lock_row(output)
        _seal_key(output, stream_key)
        output.save()
        record(actor, "streams.output.key_rotated", output)
        _use_on_air(output, actor)
    return output


def add_output(
    *, broadcast: Broadcast, output: Output, actor: Actor, idempotency_key: str | None = None
) -> BroadcastOutput:
    """Send a broadcast that is on air to one more destination."""
    require_permission(actor, "broadcast.steer", broadcast.organization)
    require_on_air(broadcast)
    if output.organization_id != broadcast.organization_id:
        raise InvalidInputError.of("output", "There is no such output.", "not_found")
    if output.kind == OutputKind.RTMP and not (
        output.sealed_stream_key or output.key_per_broadcast
    ):
        raise InvalidInputError.of("output", f"{output.name} has no stream key.", "no_key")
    with transaction.atomic():
        known = find_command(broadcast, idempotency_key)
        if known is not None:
            return BroadcastOutput.objects.get(broadcast=broadcast, pk=known.args["output"])
        row = _attach_once(broadcast, output)
        order = Order("output_add", {"output": str(row.pk)}, idempotency_key)
        issue_command(broadcast=broadcast, order=order, actor=actor)
        record(actor, "streams.broadcast.output_added", broadcast, data={"output": output.name})
    return row


def start_output(*, row: BroadcastOutput, actor: Actor) -> ControlCommand:
    """Let an output that was stopped, or gave up, try again."""
    if row.desired == OutputDesired.WAITING_FOR_KEY:
        message = "Paste today's stream key first; the output starts with it."
        raise InvalidInputError.of("stream_key", message, "required")
    return _steer(row, "output_start", OutputDesired.LIVE, actor)


def stop_output(*, row: BroadcastOutput, actor: Actor) -> ControlCommand:
    """End one output; the broadcast and the others go on."""
    return _steer(row, "output_stop", OutputDesired.STOPPED, actor)


def replace_key(*, row: BroadcastOutput, stream_key: str, actor: Actor) -> ControlCommand:
    """Use this key from now on in this airing only; what waited for it goes live.

    An output that the operator stopped stays stopped.
    """
    require_permission(actor, "broadcast.replace_key", row.broadcast.organization)
    require_on_air(row.broadcast)
    require_key(stream_key)
    with transaction.atomic():
        lock_row(row)
        vault.seal_into(row, "sealed_stream_key", stream_key)
        if row.desired == OutputDesired.WAITING_FOR_KEY:
            row.desired = OutputDesired.LIVE
        row.save(update_fields=["sealed_stream_key", "desired", "updated_at"])
        command = _send(row, "output_replace_key", actor)
        record(actor, "streams.broadcast.key_replaced", row.broadcast, data={"output": row.name})
    return command


def _use_on_air(output: Output, actor: Actor) -> None:
    """The new key of an output where its old one is in use, or was lost."""
    rows = output.airings.exclude(broadcast__state__in=FINAL_STATES).filter(sealed_stream_key="")
    if output.key_per_broadcast:
        # What waits, waits for the key of today.
        rows = rows.exclude(desired=OutputDesired.WAITING_FOR_KEY)
    rows.filter(desired=OutputDesired.WAITING_FOR_KEY).update(desired=OutputDesired.LIVE)
    for row in rows.select_related("broadcast"):
        _send(row, "output_replace_key", actor)


def require_key(stream_key: str) -> str:
    """The key as it is used. Raises InvalidInputError, never repeating the key."""
    if not stream_key:
        raise InvalidInputError.of("stream_key", "Paste the stream key.", "blank")
    if len(stream_key) > STREAM_KEY_MAX_CHARACTERS:
        message = f"A stream key has at most {STREAM_KEY_MAX_CHARACTERS} characters."
        raise InvalidInputError.of("stream_key", message, "max_length")
    if not _KEY_PATTERN.fullmatch(stream_key):
        message = "A stream key has no blanks, line breaks or special letters. Copy it again."
        raise InvalidInputError.of("stream_key", message)
    return stream_key


def check_address(output: Output) -> None:
    """Name a file that has no name. Raises EgressRefusedError or InvalidInputError about `url`."""
    if output.kind == OutputKind.FILE:
        output.url = output.url or _FILE_NAME
        if not _FILE_NAME_PATTERN.fullmatch(output.url):
            message = "Give a file name such as evening.mp4: letters, digits, - and _ only."
            raise InvalidInputError.of("url", message)
        return
    if not output.url:
        raise InvalidInputError.of("url", "Give the address that the platform shows.", "required")
    try:
        check_destination(output.url, schemes=RTMP_SCHEMES)
    except EgressRefusedError as error:
        detail = ErrorDetail("url", error.code, error.message)
        raise EgressRefusedError(error.message, details=(detail,)) from error


def _seal_key(output: Output, stream_key: str) -> None:
    if stream_key:
        require_key(stream_key)
    vault.seal_into(output, "sealed_stream_key", stream_key)
    is_long = len(stream_key) >= HINT_KEY_MIN_CHARACTERS
    output.key_hint = stream_key[-HINT_CHARACTERS:] if is_long else ""


def _attach_once(broadcast: Broadcast, output: Output) -> BroadcastOutput:
    try:
        with transaction.atomic():
            return attach_output(broadcast, output)
    except IntegrityError as error:
        raise OutputAlreadyAddedError from error


def _steer(row: BroadcastOutput, name: str, desired: str, actor: Actor) -> ControlCommand:
    require_permission(actor, "broadcast.steer", row.broadcast.organization)
    require_on_air(row.broadcast)
    with transaction.atomic():
        BroadcastOutput.objects.filter(pk=row.pk).update(desired=desired)
        return _send(row, name, actor)


def _send(row: BroadcastOutput, name: str, actor: Actor) -> ControlCommand:
    if row.broadcast.is_over:
        raise NotLiveError
    order = Order(name, {"id": str(row.pk)})
    transaction.on_commit(lambda: poke_consoles(row.broadcast_id))
    return issue_command(broadcast=row.broadcast, order=order, actor=actor)
