"""The only way from a user to organizations, and from there to rows that belong to one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models

from accounts.models import Consent, Membership, Organization, OrganizationExport, User
from accounts.roles import ALL_PERMISSIONS, require_permission
from accounts.scope import every_organization
from livestudio.common.errors import ForbiddenError, NotFoundError, OrganizationRequiredError

M = TypeVar("M", bound=models.Model)


def organizations_for(user: User) -> models.QuerySet[Organization]:
    """The organizations whose rows the user may see; all of them for a superuser."""
    if user.is_superuser:
        return Organization.objects.all()
    return Organization.objects.filter(memberships__user=user)


def get_membership(user: User, organization: Organization) -> Membership:
    """Raises NotFoundError when the user does not belong to it."""
    membership = Membership.objects.filter(user=user, organization=organization).first()
    if membership is None:
        raise NotFoundError("There is no such organization.")
    return membership


def permissions_of(
    users: Iterable[User], organization_id: uuid.UUID
) -> dict[uuid.UUID, frozenset[str]]:
    """`roles.permissions_in` of many active users, in one query; who is no member is left out."""
    asked = list(users)
    members = Membership.objects.filter(user__in=asked, organization=organization_id)
    found = {member.user_id: member.permissions for member in members}
    return found | {user.pk: ALL_PERMISSIONS for user in asked if user.is_superuser}


def resolve_organization(user: User, wanted: str | None) -> Organization:
    """The organization a request is about: the one named, else the user's only one.

    wanted: the X-Organization header. Raises NotFoundError, OrganizationRequiredError (400).
    """
    if wanted:
        return get_organization_for(user, wanted)
    own = list(Organization.objects.filter(memberships__user=user)[:2])
    if len(own) > 1:
        raise OrganizationRequiredError
    if not own:
        raise ForbiddenError("You do not belong to an organization yet.")
    return own[0]


def get_organization_for(user: User, organization_id: uuid.UUID | str) -> Organization:
    """Raises NotFoundError for an unknown one and for another's alike."""
    return get_row(organizations_for(user), organization_id, "organization")


def lock_organizations(user: User) -> None:
    """Whoever compares a version before a change waits here for the others; until the commit."""
    rows = Organization.objects.select_for_update().filter(memberships__user=user)
    list(rows.order_by("pk").values_list("pk"))


def get_managed_organization(user: User, organization_id: uuid.UUID | str) -> Organization:
    """One whose members, invitations and keys the user may change.

    Raises NotFoundError, ForbiddenError.
    """
    organization = get_organization_for(user, organization_id)
    require_permission(user, "organization.manage", organization)
    return organization


def get_owned_for(
    user: User, rows: models.QuerySet[M], row_id: uuid.UUID | str, permission: str, noun: str
) -> M:
    """A row that belongs to one of the user's organizations, if the role allows `permission`.

    rows: any queryset of a model with `organization`. Raises NotFoundError, ForbiddenError.
    """
    if not user.is_superuser:
        rows = rows.filter(organization__memberships__user=user)
    row: Any = get_row(rows.select_related("organization"), row_id, noun)
    require_permission(user, permission, row.organization)
    found: M = row
    return found


def get_consent_for(user: User, consent_id: uuid.UUID | str, permission: str) -> Consent:
    """Raises NotFoundError, ForbiddenError."""
    consent: Consent = get_owned_for(user, Consent.objects.all(), consent_id, permission, "consent")
    return consent


def get_any_consent(consent_id: uuid.UUID) -> Consent:
    """For holders of a signed address, which owners alone are given. Raises NotFoundError."""
    with every_organization():
        consent: Consent = get_row(Consent.objects.all(), consent_id, "consent")
    return consent


def get_any_export(organization_id: uuid.UUID, export_id: uuid.UUID) -> OrganizationExport:
    """For holders of a signed address, which owners alone are given. Raises NotFoundError."""
    rows = OrganizationExport.objects.filter(organization=organization_id)
    with every_organization():
        export: OrganizationExport = get_row(rows, export_id, "export")
    return export


def get_row(rows: models.QuerySet[M], row_id: uuid.UUID | str, noun: str) -> M:
    """The row with this id among those already narrowed to the user. Raises NotFoundError."""
    try:
        key = row_id if isinstance(row_id, uuid.UUID) else uuid.UUID(str(row_id))
    except ValueError as error:
        raise NotFoundError(f"There is no such {noun}.") from error
    row = rows.filter(pk=key).first()
    if row is None:
        raise NotFoundError(f"There is no such {noun}.")
    return row
