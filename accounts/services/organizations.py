"""What owners and members do with an organization as a whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import hooks
from accounts.audit import record
from accounts.errors import (
    ExportRequiredError,
    OrganizationBusyError,
    OrganizationEndingError,
    RegistrationClosedError,
)
from accounts.models import Membership, Organization, OrganizationExport, User
from accounts.roles import SYSTEM, Role, require_permission
from accounts.services import members
from livestudio.common.errors import InvalidInputError

# An owner may take a deletion back for so long.
GRACE: Final = timedelta(days=7)
EXPORT_IS_FRESH: Final = timedelta(hours=24)
MANAGE: Final = "organization.manage"


def open_organization(*, name: str, actor: User) -> Organization:
    """One more organization of one's own.

    Raises RegistrationClosedError, InvalidInputError, TooManyOrganizationsError (409).
    """
    if settings.REGISTRATION != "open" and not actor.is_superuser:
        raise RegistrationClosedError
    _check_name(name)
    organization = members.create_organization(name=name, owner=actor)
    record(actor, "accounts.organization.created", organization, data={"name": organization.name})
    return organization


def rename_organization(*, organization: Organization, name: str, actor: User) -> Organization:
    """Raises ForbiddenError, InvalidInputError."""
    require_permission(actor, MANAGE, organization)
    _check_name(name)
    with transaction.atomic():
        before, organization.name = organization.name, name.strip()
        organization.save(update_fields=["name", "updated_at"])
        data = {"before": before, "name": organization.name}
        record(actor, "accounts.organization.renamed", organization, data=data)
    return organization


def leave_organization(*, membership: Membership) -> None:
    """End one's own membership. Raises InvalidInputError for the last owner."""
    with transaction.atomic():
        members.lock_members(membership.organization)
        record(membership.user, "accounts.membership.left", membership)
        members.remove_member(membership=membership, actor=SYSTEM)


def transfer_organization(*, organization: Organization, member: Membership, actor: User) -> None:
    """Make a member the owner in the actor's place, who stays as a producer.

    Raises ForbiddenError, InvalidInputError, TooManyOrganizationsError (409).
    """
    require_permission(actor, MANAGE, organization)
    if member.user == actor or member.user.is_machine:
        raise InvalidInputError.of("member", "Choose another person of the organization.")
    with transaction.atomic():
        # Asks for the right again under its lock: of two transfers at once one is refused.
        members.change_role(membership=member, role=Role.OWNER, actor=actor)
        if actor.memberships.filter(organization=organization).exists():
            members.set_role(organization=organization, user=actor, role=Role.PRODUCER, actor=actor)
        data = {"to": member.user.username}
        record(actor, "accounts.organization.transferred", organization, data=data)


def request_deletion(
    *, organization: Organization, name: str, without_export: bool, actor: User
) -> Organization:
    """Delete the organization with all it has, after GRACE. name: typed by the owner, to be sure.

    Raises ForbiddenError, InvalidInputError, OrganizationBusyError, ExportRequiredError (409).
    """
    require_permission(actor, MANAGE, organization)
    if name.strip() != organization.name:
        raise InvalidInputError.of("name", "Type the name of the organization as it is written.")
    refuse_while_busy(organization)
    if not without_export and not _has_fresh_export(organization):
        raise ExportRequiredError
    with transaction.atomic():
        organization.delete_after = timezone.now() + GRACE
        organization.save(update_fields=["delete_after", "updated_at"])
        data = {"after": organization.delete_after.isoformat(), "without_export": without_export}
        record(actor, "accounts.organization.deletion_requested", organization, data=data)
    return organization


def restore_organization(*, organization: Organization, actor: User) -> Organization:
    """Take the deletion back while there is time. Raises ForbiddenError."""
    require_permission(actor, MANAGE, organization)
    if organization.delete_after is None:
        return organization
    with transaction.atomic():
        members.lock_members(organization)
        # Once more: its deletion ends all memberships first, and then nothing is left to restore.
        require_permission(actor, MANAGE, organization)
        organization.delete_after = None
        organization.save(update_fields=["delete_after", "updated_at"])
        record(actor, "accounts.organization.restored", organization)
    return organization


def require_staying(organization: Organization) -> None:
    """Raises OrganizationEndingError when it is going to be deleted: nothing new begins there."""
    if organization.delete_after is not None:
        raise OrganizationEndingError


def refuse_while_busy(organization: Organization) -> None:
    """Raises OrganizationBusyError naming what is on air."""
    found = [text for hook in hooks.ORGANIZATION_OBSTACLES for text in hook(organization)]
    if found:
        raise OrganizationBusyError(" ".join([*found[:5], OrganizationBusyError.message]))


def _has_fresh_export(organization: Organization) -> bool:
    rows = OrganizationExport.objects.for_organization(organization)
    return bool(
        rows.filter(
            state=OrganizationExport.State.READY, ready_at__gt=timezone.now() - EXPORT_IS_FRESH
        ).exists()
    )


def _check_name(name: str) -> None:
    try:
        Organization(name=name.strip()).full_clean()
    except ValidationError as error:
        raise InvalidInputError.of("name", error.messages[0]) from error
