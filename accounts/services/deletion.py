"""The end of an organization: every row and every file of it, and nothing else."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

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
    due = Organization.objects.filter(delete_after__lte=now)
    for organization in due:
        try:
            is_closed = _close(organization, due)
        except DomainError as error:
            log.warning("deletion waits", organization_id=str(organization.pk), reason=str(error))
            continue
        if is_closed:
            delete_organization(organization)
            deleted += 1
    return deleted


def delete_organization(organization: Organization) -> None:
    """Members first: nobody adds anything any more, nor takes the deletion back.

    Then files: whoever is cut off finds the rest again by the rows. Then rows, then itself.
    """
    name, key = organization.name, str(organization.pk)
    with transaction.atomic():
        _end_memberships(organization)
    _delete_files(organization)
    for hook in hooks.ORGANIZATION_DELETED:
        hook(organization)
    for model in tenant_models():
        _delete_rows(model, organization)
    _delete_log(Organization, [organization.pk])
    organization.delete()
    # Of no organization: this one entry is what superusers keep.
    AuditEntry.objects.create(
        action="accounts.organization.deleted",
        object_type=Organization._meta.label_lower,
        object_id=key,
        data={"name": name},
    )
    log.info("organization deleted", organization_id=key)


def _close(organization: Organization, due: models.QuerySet[Organization]) -> bool:
    """End its memberships, unless it was restored while others were deleted. Raises DomainError."""
    with transaction.atomic():
        if not list(due.select_for_update().filter(pk=organization.pk)):
            return False
        refuse_while_busy(organization)
        _end_memberships(organization)
    return True


def _end_memberships(organization: Organization) -> None:
    members = User.objects.filter(memberships__organization=organization)
    people = list(members.filter(is_machine=False))
    members.filter(is_machine=True).delete()
    _delete_rows(Membership, organization)
    for user in people:
        update_staff(user)


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
