"""The secret address of an organization's calendar: made, replaced, ended, and asked."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from django.db import transaction

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import has_permission, require_permission
from accounts.scope import admit, every_organization
from livestudio.common.errors import NotFoundError
from streams.models import CalendarAddress

# Who plans shows decides who else may see the plan.
PERMISSION = "show.edit"


def renew_address(*, organization: Organization, actor: User) -> tuple[CalendarAddress, str]:
    """(the address, its token, which is shown once). The one before opens nothing from now on.

    Raises ForbiddenError.
    """
    require_permission(actor, PERMISSION, organization)
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        # One after the other: two at once would meet at the unique constraint.
        Organization.objects.select_for_update().get(pk=organization.pk)
        CalendarAddress.objects.filter(organization=organization).delete()
        address: CalendarAddress = CalendarAddress.objects.create(
            organization=organization, hashed=_hash(token), created_by=actor
        )
        record(actor, "streams.calendar_address.renewed", address)
    return address, token


def end_address(*, organization: Organization, actor: User) -> None:
    """The address opens nothing from now on. Raises ForbiddenError, NotFoundError."""
    address = get_address(organization=organization, actor=actor)
    with transaction.atomic():
        record(actor, "streams.calendar_address.ended", address)
        address.delete()


def get_address(*, organization: Organization, actor: User) -> CalendarAddress:
    """Raises ForbiddenError, and NotFoundError where there is none."""
    require_permission(actor, PERMISSION, organization)
    rows = CalendarAddress.objects.filter(organization=organization).select_related("created_by")
    address: CalendarAddress | None = rows.first()
    if address is None or not _is_held(address):
        raise NotFoundError("There is no calendar address yet.")
    return address


def open_calendar(organization_id: UUID, token: str) -> Organization:
    """The organization whose calendar this token opens. Raises NotFoundError."""
    rows = CalendarAddress.objects.filter(organization=organization_id, hashed=_hash(token))
    with every_organization():  # the address is the right; who reads it has not signed in
        address = rows.select_related("organization", "created_by").first()
    if address is None or not _is_held(address):
        raise NotFoundError
    admit(address.organization_id)
    organization: Organization = address.organization
    return organization


def _is_held(address: CalendarAddress) -> bool:
    """Whether who knows the address may plan shows still: it ends with that right."""
    maker = address.created_by
    return maker is not None and has_permission(maker, PERMISSION, address.organization)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
