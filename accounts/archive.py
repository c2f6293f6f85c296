"""An organization as a ZIP: each table as JSON without its secrets, and every file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from accounts import hooks
from accounts.models import Membership, Organization
from accounts.tenancy import rows_of, tenant_models
from livestudio.common.vault import SealedTextField

VERSION: Final = 1
# Hashes of what opens something; sealed fields are left out by their type.
SECRET_FIELDS: Final = frozenset({"hashed", "credential"})
# Tickets live for seconds, viewers while they watch; exports name each other.
LEFT_OUT: Final = frozenset(
    {"streams.ConnectionTicket", "streams.WhepViewer", "accounts.OrganizationExport"}
)
_ROWS_AT_ONCE: Final = 500


def write_archive(target: Path, organization: Organization, *, with_recordings: bool) -> None:
    """Write the ZIP. Raises OSError when the disk is full; the caller removes what is there."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        counts = {
            model._meta.label: _write_rows(archive, model, organization)
            for model in tenant_models()
            if model._meta.label not in LEFT_OUT
        }
        files = _write_files(archive, organization, with_recordings=with_recordings)
        manifest = {
            "version": VERSION,
            "organization": {"id": str(organization.pk), "name": organization.name},
            "exported_at": timezone.now().isoformat(),
            "people": _people(organization),
            "rows": counts,
            "files": files,
            "with_recordings": with_recordings,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1, cls=DjangoJSONEncoder)
        archive.writestr("manifest.json", text)


def exported_fields(model: type[models.Model]) -> list[Any]:
    """The fields of a model that may leave: no secret, no hash of one."""
    return [
        field
        for field in (*model._meta.concrete_fields, *model._meta.many_to_many)
        if not isinstance(field, SealedTextField) and field.name not in SECRET_FIELDS
    ]


def files_of(organization: Organization) -> Iterator[tuple[str, Path]]:
    """(name in the archive, where it lies) of each upload and picture."""
    for model in tenant_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.FileField):
                for row in rows_of(model, organization).exclude(**{field.name: ""}).iterator():
                    file = getattr(row, field.name)
                    yield f"files/{file.name}", Path(file.path)


def _write_rows(
    archive: zipfile.ZipFile, model: type[models.Model], organization: Organization
) -> int:
    """One row a line, so that a table of any length needs little memory."""
    count = 0
    fields = exported_fields(model)
    rows = rows_of(model, organization).order_by("pk")
    with archive.open(f"rows/{model._meta.label_lower}.json", "w", force_zip64=True) as file:
        file.write(b"[")
        for row in rows.iterator(chunk_size=_ROWS_AT_ONCE):
            text = json.dumps(_plain(row, fields), ensure_ascii=False, cls=DjangoJSONEncoder)
            file.write((",\n" if count else "\n").encode() + text.encode())
            count += 1
        file.write(b"\n]\n")
    return count


def _plain(row: models.Model, fields: list[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields:
        value = field.value_from_object(row)
        if isinstance(field, models.ManyToManyField):
            value = [item.pk for item in value]
        elif isinstance(field, models.FileField):
            value = value.name
        values[field.name] = value
    return values


def _write_files(
    archive: zipfile.ZipFile, organization: Organization, *, with_recordings: bool
) -> int:
    found = dict(files_of(organization))
    if with_recordings:
        for hook in hooks.ORGANIZATION_FOLDERS:
            for folder in hook(organization):
                found |= _files_in(folder)
    present = {name: path for name, path in found.items() if path.is_file()}
    for name, path in sorted(present.items()):
        # Pictures and films are compressed already.
        archive.write(path, name, zipfile.ZIP_STORED)
    return len(present)


def _files_in(folder: hooks.OwnedFolder) -> dict[str, Path]:
    if not folder.archive:
        return {}
    paths = sorted(path for path in folder.path.rglob("*") if not path.is_symlink())
    return {f"{folder.archive}/{path.relative_to(folder.path)}": path for path in paths}


def _people(organization: Organization) -> list[dict[str, str]]:
    rows = Membership.objects.filter(organization=organization, user__is_machine=False)
    return [
        {"id": str(row.user.pk), "username": row.user.username, "email": row.user.email}
        for row in rows.select_related("user")
    ]
