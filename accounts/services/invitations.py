"""Invitations: owners ask people in, who join with an account they have or make."""

from __future__ import annotations

import hashlib
import math
import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts import mail
from accounts.audit import record
from accounts.errors import AlreadyMemberError, LinkInvalidError
from accounts.letters import invitation_letter
from accounts.models import Invitation, Membership, Organization, User
from accounts.roles import SYSTEM, Role, SystemActor, has_permission, require_permission
from accounts.scope import every_organization
from accounts.services import members
from livestudio.common.errors import ErrorDetail, InvalidInputError, TooManyRequestsError

LIFE: Final = timedelta(days=7)
# Of an organization, and of one person in all of theirs: each sends a mail to an address of their
# choice with a name of their choice in it.
MOST: Final = 100
MOST_IN: Final = timedelta(hours=24)


def invite(
    *,
    organization: Organization,
    email: str,
    role: str,
    actor: User | SystemActor,
    base_url: str,
) -> tuple[Invitation, str]:
    """(the invitation, its link); it is mailed too. An open one to the same address is void.

    base_url: of this site, without a slash at its end.
    Raises ForbiddenError, InvalidInputError, AlreadyMemberError (409), TooManyRequestsError (429).
    """
    require_permission(actor, "organization.manage", organization)
    email = User.objects.normalize_email(email.strip())
    _check(organization, email, role)
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        members.lock_members(organization)
        _require_few(organization, actor)
        open_ones = Invitation.objects.for_organization(organization).open()
        open_ones.filter(email__iexact=email).update(revoked_at=timezone.now())
        invitation = Invitation.objects.create(
            organization=organization,
            email=email,
            role=role,
            hashed=_hash(token),
            invited_by=actor if isinstance(actor, User) else None,
            expires_at=timezone.now() + LIFE,
        )
        data = {"email": email, "role": role}
        record(actor, "accounts.invitation.created", invitation, data=data)
        link = base_url + reverse("invitation", args=[token])
        if settings.MAIL != "off":
            mail.send(invitation_letter(invitation, link))
    return invitation, link


def revoke_invitation(*, invitation: Invitation, actor: User | SystemActor) -> None:
    """Its link opens nothing from now on. Raises ForbiddenError."""
    require_permission(actor, "organization.manage", invitation.organization)
    with transaction.atomic():
        rows = Invitation.objects.open().filter(pk=invitation.pk)
        if rows.update(revoked_at=timezone.now()):
            record(actor, "accounts.invitation.revoked", invitation)


def find_invitation(token: str) -> Invitation:
    """The open invitation of a link. Raises LinkInvalidError."""
    rows = Invitation.objects.open().select_related("organization", "invited_by")
    with every_organization():  # the link is the right; its reader belongs to none yet
        invitation: Invitation | None = rows.filter(hashed=_hash(token)).first()
    if invitation is None or not _may_still_invite(invitation):
        raise LinkInvalidError
    return invitation


def _may_still_invite(invitation: Invitation) -> bool:
    """Who was removed must not come back by a link of their own."""
    inviter = invitation.invited_by
    return inviter is not None and has_permission(
        inviter, "organization.manage", invitation.organization
    )


def accept(*, token: str, user: User) -> Membership:
    """The user joins. Raises LinkInvalidError, AlreadyMemberError (409)."""
    organization = find_invitation(token).organization
    with transaction.atomic():
        members.lock_members(organization)
        # As it is now: while we waited, who invites may have been removed, who reads have joined.
        invitation = find_invitation(token)
        if Membership.objects.filter(organization=organization, user=user).exists():
            raise AlreadyMemberError
        # Of two that try at once one gets it.
        rows = Invitation.objects.open().filter(pk=invitation.pk)
        if not rows.update(accepted_at=timezone.now(), accepted_by=user):
            raise LinkInvalidError
        record(user, "accounts.invitation.accepted", invitation)
        return members.set_role(
            organization=organization, user=user, role=invitation.role, actor=SYSTEM
        )


def proves_address(invitation: Invitation, email: str) -> bool:
    """Whether who holds the link has shown that this address is theirs.

    Only where the link went by mail and nobody else was shown it.
    """
    return settings.MAIL == "sent" and invitation.email.lower() == email.strip().lower()


def _check(organization: Organization, email: str, role: str) -> None:
    details: list[ErrorDetail] = []
    try:
        validate_email(email)
    except ValidationError as error:
        details.append(ErrorDetail("email", "invalid", error.messages[0]))
    if role not in Role.values:
        known = ", ".join(Role.values)
        details.append(ErrorDetail("role", "invalid", f"There are the roles {known}."))
    if details:
        raise InvalidInputError(details=tuple(details))
    rows = Membership.objects.filter(organization=organization, user__is_machine=False)
    if rows.filter(user__email__iexact=email).exists():
        raise AlreadyMemberError


def _require_few(organization: Organization, actor: User | SystemActor) -> None:
    now = timezone.now()
    theirs = Q(organization=organization)
    if isinstance(actor, User):
        theirs |= Q(invited_by=actor)
    recent = Invitation.objects.filter(theirs, created_at__gt=now - MOST_IN)
    times = recent.order_by("-created_at").values_list("created_at", flat=True)[:MOST]
    if len(times) >= MOST:
        wait = times[MOST - 1] + MOST_IN - now
        message = f"At most {MOST} invitations in 24 hours. Wait before you invite more."
        raise TooManyRequestsError(message, retry_after_seconds=math.ceil(wait.total_seconds()))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
