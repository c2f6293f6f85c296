"""Exports of an organization: asked for by owners, made in the background, fetched for a week."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.archive import write_archive
from accounts.audit import record
from accounts.models import Organization, OrganizationExport, User
from accounts.roles import SYSTEM, require_permission
from livestudio.common.errors import ConflictError, NotFoundError
from livestudio.common.log import get_logger

log = get_logger(__name__)

State = OrganizationExport.State
KEPT_FOR: Final = timedelta(days=7)
# Whoever was making it is gone by then.
GIVEN_UP_AFTER: Final = timedelta(hours=2)
ATTEMPTS: Final = 3
_OPEN: Final = (State.WAITING, State.BUILDING)


class ExportUnderWayError(ConflictError):
    """One at a time."""

    code = "export_under_way"
    message = "An export of this organization is being made already."


def request_export(
    *, organization: Organization, with_recordings: bool, actor: User
) -> OrganizationExport:
    """Ask for a ZIP of everything. Raises ForbiddenError, ExportUnderWayError (409)."""
    require_permission(actor, "organization.manage", organization)
    with transaction.atomic():
        # Locked, so that of two that ask at once one is refused.
        Organization.objects.select_for_update().get(pk=organization.pk)
        rows = OrganizationExport.objects.for_organization(organization)
        if rows.filter(state__in=_OPEN).exists():
            raise ExportUnderWayError
        export: OrganizationExport = OrganizationExport.objects.create(
            organization=organization, with_recordings=with_recordings, requested_by=actor
        )
        data = {"with_recordings": with_recordings}
        record(actor, "accounts.organization.export_requested", export, data=data)
    return export


def make_next_export(now: datetime) -> bool:
    """Make the export that waits longest; False when none waits."""
    _put_back(now)
    waiting = OrganizationExport.objects.filter(state=State.WAITING).order_by("created_at")
    export: OrganizationExport | None = waiting.select_related("organization").first()
    if export is None:
        return False
    claimed = OrganizationExport.objects.filter(pk=export.pk, state=State.WAITING).update(
        state=State.BUILDING, started_at=now, attempts=F("attempts") + 1
    )
    if claimed:
        _make(export)
    return True


def delete_old_exports(now: datetime) -> int:
    """Delete files and rows of exports whose week is over; how many."""
    old = list(OrganizationExport.objects.filter(created_at__lt=now - KEPT_FOR)[:100])
    for export in old:
        drop_export(export)
    return len(old)


def drop_export(export: OrganizationExport) -> None:
    """Delete the file, then the row."""
    if export.file_name:
        (exports_folder() / export.file_name).unlink(missing_ok=True)
    export.delete()


def export_file(export: OrganizationExport) -> Path:
    """The ZIP. Raises NotFoundError before it is ready and after its week."""
    path = exports_folder() / (export.file_name or "-")
    if export.state != State.READY or not path.is_file():
        raise NotFoundError("This export is not there (any more).")
    return path


def exports_folder() -> Path:
    """Readable by us alone: everything of everybody lies there."""
    folder = Path(settings.EXPORTS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _make(export: OrganizationExport) -> None:
    name = f"{secrets.token_hex(16)}.zip"
    path, part = exports_folder() / name, exports_folder() / f"{name}.part"
    try:
        write_archive(part, export.organization, with_recordings=export.with_recordings)
        part.chmod(0o600)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        log.warning("export failed", export_id=str(export.pk), reason=error.strerror)
        reason = f"The file could not be written: {error.strerror}."
        _end(export, state=State.FAILED, failure_reason=reason[:300])
        return
    done = {"file_name": name, "size_bytes": path.stat().st_size, "ready_at": timezone.now()}
    with transaction.atomic():
        _end(export, state=State.READY, **done)
        record(SYSTEM, "accounts.organization.exported", export, data={"bytes": done["size_bytes"]})


def _end(export: OrganizationExport, **values: object) -> None:
    OrganizationExport.objects.filter(pk=export.pk).update(**values)


def _put_back(now: datetime) -> None:
    """What a maker left behind that died is made again, a few times."""
    stuck = OrganizationExport.objects.filter(
        state=State.BUILDING, started_at__lt=now - GIVEN_UP_AFTER
    )
    told = "Making it was cut off several times."
    stuck.filter(attempts__gte=ATTEMPTS).update(state=State.FAILED, failure_reason=told)
    stuck.update(state=State.WAITING)
