"""Opening an account: as the owner of a new organization, or by invitation."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from accounts.audit import record
from accounts.errors import RegistrationClosedError
from accounts.models import Invitation, Membership, User
from accounts.services import invitations, members, verification
from accounts.services.members import Registration


def register(
    *, registration: Registration, base_url: str, address: str, invitation: str = ""
) -> Membership:
    """A new user, in the organization that invites them, else owner of a new one.

    address: who asks, for `password_work`. invitation: the token of its link. base_url: of this
    site, for the mail that confirms the address where that is required. Raises
    RegistrationClosedError, InvalidInputError, LinkInvalidError.
    """
    _require_open(invitation)
    found = invitations.find_invitation(invitation) if invitation else None
    user = members.prepare_user(registration=registration, address=address)
    with transaction.atomic():
        members.save_user(user)
        if found is not None:
            organization = invitations.accept(token=invitation, user=user).organization
        else:
            name = registration.organization
            organization = members.create_organization(name=name, owner=user)
        record(user, "accounts.user.registered", user, organization=organization)
        _ask_for_proof(user, found, base_url)
    return Membership.objects.select_related("user", "organization").get(
        user=user, organization=organization
    )


def _require_open(invitation: str) -> None:
    if settings.REGISTRATION == "open" or (settings.REGISTRATION == "invite" and invitation):
        return
    if settings.REGISTRATION == "invite":
        text = "New accounts need an invitation here. Ask an owner of your organization for one."
        raise RegistrationClosedError(text)
    raise RegistrationClosedError


def _ask_for_proof(user: User, invitation: Invitation | None, base_url: str) -> None:
    if invitation is not None and invitations.proves_address(invitation, user.email):
        verification.mark_verified(user)
    elif verification.is_required():
        user.must_verify_email = True
        user.save(update_fields=["must_verify_email", "updated_at"])
        verification.send_verification(user=user, base_url=base_url)
