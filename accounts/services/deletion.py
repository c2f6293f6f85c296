"""The end of an organization: every row and every file of it, and nothing else."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models

from accounts import hooks
from accounts.archive import files_of
from accounts.models import AuditEntry, Membership, Organization, OrganizationExport, User
from accounts.services.exports import drop_export
from accounts.services.members import update_staff
from accounts.services.organizations import refuse_while_busy
from accounts.tenancy import rows_of, tenant_models
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger

log = get_logger(__name__)

# Short transactions: others write to the same tables meanwhile.
_ROWS_AT_ONCE: Final = 200


def delete_due_organizations(now: datetime) -> int:
    """Delete those whose time of grace is over; how many. May be cut off and repeated."""
    deleted = 0
    for organization in Organization.objects.filter(delete_after__lte=now):
        try:
            refuse_while_busy(organization)
        except DomainError as error:
            log.warning("deletion waits", organization_id=str(organization.pk), reason=str(error))
            continue
        delete_organization(organization)
        deleted += 1
    return deleted


def delete_organization(organization: Organization) -> None:
    """Files first: whoever is cut off finds the rest again by the rows. Then rows, then itself."""
    name, key = organization.name, str(organization.pk)
    members = User.objects.filter(memberships__organization=organization)
    members.filter(is_machine=True).delete()
    people = list(members)
    _delete_files(organization)
    for hook in hooks.ORGANIZATION_DELETED:
        hook(organization)
    # Members first: nobody adds anything any more.
    _delete_rows(Membership, organization)
    for model in tenant_models():
        _delete_rows(model, organization)
    _delete_log(Organization, [organization.pk])
    organization.delete()
    for user in people:
        update_staff(user)
    # Of no organization: this one entry is what superusers keep.
    AuditEntry.objects.create(
        action="accounts.organization.deleted",
        object_type=Organization._meta.label_lower,
        object_id=key,
        data={"name": name},
    )
    log.info("organization deleted", organization_id=key)


def _delete_files(organization: Organization) -> None:
    for _name, path in files_of(organization):
        path.unlink(missing_ok=True)
    for export in OrganizationExport.objects.for_organization(organization):
        drop_export(export)
    for hook in hooks.ORGANIZATION_FOLDERS:
        for folder in hook(organization):
            shutil.rmtree(folder.path, ignore_errors=True)


def _delete_rows(model: type[models.Model], organization: Organization) -> None:
    rows = rows_of(model, organization).order_by()
    while keys := list(rows.values_list("pk", flat=True)[:_ROWS_AT_ONCE]):
        _delete_log(model, keys)
        model._base_manager.filter(pk__in=keys).delete()


def _delete_log(model: type[models.Model], keys: list[Any]) -> None:
    """The admin's own log names objects by type and id."""
    kind = ContentType.objects.get_for_model(model)
    texts = [str(key) for key in keys]
    LogEntry.objects.filter(content_type=kind, object_id__in=texts).delete()
