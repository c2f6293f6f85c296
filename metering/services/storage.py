"""The files that take up storage: noted when they are written, forgotten when they are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from metering.hooks import STORED_FILES, FileFound
from metering.models import StoredFile


@dataclass(slots=True)
class Drift:
    """How far the books were from the disk. by_organization: bytes on the disk minus noted."""

    missing: int = 0
    gone: int = 0
    changed: int = 0
    by_organization: dict[UUID, int] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.gone or self.changed)


def note_file(organization_id: UUID, kind: str, item: object, size_bytes: int) -> None:
    """A file was written, or has grown."""
    StoredFile.objects.update_or_create(
        kind=kind,
        item=str(item),
        defaults={"organization_id": organization_id, "size_bytes": size_bytes},
    )


def forget_files(kind: str, items: Iterable[object]) -> None:
    """These files were deleted."""
    StoredFile.objects.filter(kind=kind, item__in=[str(item) for item in items]).delete()


def stored_bytes(organization_id: UUID) -> int:
    """What all files of an organization take up, as noted."""
    rows = StoredFile.objects.filter(organization=organization_id)
    return int(rows.aggregate(total=Sum("size_bytes"))["total"] or 0)


def recount(*, is_repaired: bool) -> Drift:
    """Compare what is noted with what lies on the disk; mend it where that is asked for."""
    drift = Drift()
    noted = {(row.kind, row.item): row for row in StoredFile.objects.all()}
    for look in STORED_FILES:
        for found in look():
            _compare(found, noted.pop((found.kind, found.item), None), drift, is_repaired)
    for row in noted.values():
        drift.gone += 1
        _add(drift, row.organization_id, -row.size_bytes)
    if is_repaired:
        StoredFile.objects.filter(pk__in=[row.pk for row in noted.values()]).delete()
    return drift


def _compare(found: FileFound, noted: StoredFile | None, drift: Drift, is_repaired: bool) -> None:
    if noted is not None and noted.size_bytes == found.size_bytes:
        return
    drift.missing += noted is None
    drift.changed += noted is not None
    _add(drift, found.organization, found.size_bytes - (noted.size_bytes if noted else 0))
    if is_repaired:
        with transaction.atomic():
            note_file(found.organization, found.kind, found.item, found.size_bytes)


def _add(drift: Drift, organization_id: UUID, size_bytes: int) -> None:
    drift.by_organization[organization_id] = (
        drift.by_organization.get(organization_id, 0) + size_bytes
    )
