"""What recordings and pictures take up, and the end of recording when there is no room left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from accounts.roles import SYSTEM
from livestudio.common.log import get_logger
from metering.hooks import FileFound
from metering.services.counting import look_at_present
from metering.services.storage import note_file
from streams.models import Broadcast, Picture, Recording
from streams.models.broadcast import FINAL_STATES, OutputDesired
from streams.models.output import OutputKind
from streams.models.recording import RecordingState
from streams.services.outputs import stop_output
from streams.services.recordings import set_recording

log = get_logger(__name__)

STORAGE: Final = "storage_bytes"


def watch_storage() -> None:
    """Note how files that are being written have grown; stop those for which there is no room."""
    open_files = Recording.objects.filter(state=RecordingState.RECORDING)
    for recording in open_files.select_related("broadcast"):
        note_recording(recording)
    for organization_id in _recording_organizations():
        if look_at_present(organization_id, STORAGE):
            stop_recordings(organization_id)


def stop_recordings(organization_id: UUID) -> int:
    """End every recording of an organization; its shows go on. How many there were."""
    recording = _on_air().filter(organization=organization_id, recording_wanted=True)
    stopped = [set_recording(broadcast=row, on=False, actor=SYSTEM) for row in recording]
    for broadcast in _on_air().filter(organization=organization_id):
        files = broadcast.outputs.filter(kind=OutputKind.FILE, desired=OutputDesired.LIVE)
        stopped += [stop_output(row=row, actor=SYSTEM) for row in files.select_related("broadcast")]
    if stopped:
        log.info("recording stopped: no room", organization_id=str(organization_id))
    return len(stopped)


def note_recording(recording: Recording) -> None:
    """Its size as it lies on the disk; one that cannot be seen from here keeps what was noted."""
    size_bytes = _size(Path(settings.RECORDINGS_DIR) / recording.path)
    if size_bytes is not None:
        organization_id = recording.broadcast.organization_id
        note_file(organization_id, "recording", recording.pk, size_bytes)


def stored_recordings() -> Iterator[FileFound]:
    """Every recording that lies on the disk."""
    rows = Recording.objects.exclude(state=RecordingState.DELETED).select_related("broadcast")
    for row in rows.iterator():
        size_bytes = _size(Path(settings.RECORDINGS_DIR) / row.path)
        if size_bytes is not None:
            owner = row.broadcast.organization_id
            yield FileFound(owner, "recording", str(row.pk), size_bytes)


def stored_pictures() -> Iterator[FileFound]:
    """Every picture that lies on the disk."""
    for row in Picture.objects.iterator():
        size_bytes = _size(Path(settings.MEDIA_ROOT) / str(row.file.name))
        if size_bytes is not None:
            yield FileFound(row.organization_id, "picture", str(row.pk), size_bytes)


def _recording_organizations() -> list[UUID]:
    on_air = _on_air()
    recording = on_air.filter(recording_wanted=True) | on_air.filter(outputs__kind=OutputKind.FILE)
    return list(recording.order_by().values_list("organization", flat=True).distinct())


def _on_air() -> QuerySet[Broadcast]:
    return Broadcast.objects.exclude(state__in=FINAL_STATES)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
