"""Recording: switched on air, and its files found on the disk."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.roles import SystemActor, require_permission
from livestudio.common.errors import NotFoundError
from metering.services.counting import require_room
from streams.models import Broadcast, ControlCommand, Recording
from streams.models.recording import RecordingState
from streams.poke import poke_consoles
from streams.services.commands import Order
from streams.services.speech import steer


def set_recording(
    *,
    broadcast: Broadcast,
    on: bool,
    actor: User | SystemActor,
    idempotency_key: str | None = None,
) -> ControlCommand:
    """Begin or end recording; a runner that comes back later does what was said last.

    Raises QuotaExceededError when there is no room to begin.
    """
    require_permission(actor, "broadcast.steer", broadcast.organization)
    with transaction.atomic():
        if on:
            require_room(broadcast.organization_id, "storage_bytes", 1)
        command = steer(broadcast, Order("record", {"on": on}, idempotency_key), actor)
        Broadcast.objects.filter(pk=broadcast.pk).update(recording_wanted=on)
        # Every console shows whether it is on, not only the one that switched it.
        transaction.on_commit(lambda: poke_consoles(broadcast.pk))
    return command


def close_left_open(broadcast: Broadcast) -> int:
    """Say of files that a dead runner was writing that they have ended; how many there were.

    They play up to the last second or two before its death.
    """
    rows = broadcast.recordings.filter(state=RecordingState.RECORDING)
    reason = "The presenter's process ended while it recorded; the file plays up to there."
    return rows.update(state=RecordingState.FINISHED, reason=reason, ended_at=timezone.now())


def recording_file(recording: Recording) -> Path:
    """The file of a recording. Raises NotFoundError when it is not (or no longer) there."""
    folder = Path(settings.RECORDINGS_DIR).resolve()
    path = (folder / recording.path).resolve()
    # The path comes from a runner: it never leads out of the folder of recordings.
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFoundError("The file of this recording is not there any more.")
    return path
