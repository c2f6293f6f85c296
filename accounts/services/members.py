"""Organizations and who works in them."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import hooks
from accounts.audit import record
from accounts.credentials import tell_lost_right
from accounts.errors import TooManyOrganizationsError
from accounts.models import IdempotencyRecord, Membership, Organization, User
from accounts.roles import STAFF_ROLES, SYSTEM, Role, SystemActor, require_permission
from accounts.services.hashing import password_work
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody fills in to open an account of their own."""

    username: str
    email: str
    password: str
    organization: str


def prepare_user(*, registration: Registration, address: str = "") -> User:
    """A user with a password, to be saved. address: who asks, for `password_work`.

    Call it outside of transactions: the hash takes its time, and on SQLite everybody waits for
    whoever writes. Raises InvalidInputError naming each wrong field.
    """
    user = User(
        username=User.normalize_username(registration.username),
        email=User.objects.normalize_email(registration.email),
    )
    _check_user(user, registration.password)
    with password_work(address):
        user.set_password(registration.password)
    return user


def save_user(user: User) -> User:
    """Save one that was prepared, without any organization. Raises InvalidInputError."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        # Two people took the name at the same moment.
        raise InvalidInputError.of("username", "This username is taken.", "unique") from error
    return user


def create_organization(*, name: str, owner: User) -> Organization:
    """A new organization with its owner and what every organization starts with.

    Raises TooManyOrganizationsError (409).
    """
    with transaction.atomic():
        organization = Organization(name=name.strip())
        organization.full_clean()
        organization.save()
        set_role(organization=organization, user=owner, role=Role.OWNER, actor=SYSTEM)
        for hook in hooks.ORGANIZATION_CREATED:
            hook(organization)
    return organization


def set_role(
    *, organization: Organization, user: User, role: str, actor: User | SystemActor
) -> Membership:
    """Give a user a role, the first or another.

    Raises ForbiddenError, InvalidInputError, TooManyOrganizationsError (409).
    """
    with transaction.atomic():
        lock_members(organization)
        require_permission(actor, "organization.manage", organization)
        _keep_an_owner(organization, user, becomes=role)
        if role == Role.OWNER:
            _require_place(organization, user)
        membership, _ = Membership.objects.update_or_create(
            organization=organization, user=user, defaults={"role": role}
        )
        update_staff(user)
        record(actor, "accounts.membership.changed", membership, data={"role": role})
    return membership


def change_role(*, membership: Membership, role: str, actor: User | SystemActor) -> Membership:
    """Give a member another role.

    Raises ForbiddenError, InvalidInputError, NotFoundError for who is no member any more: who has
    left does not come back by it.
    """
    with transaction.atomic():
        lock_members(membership.organization)
        lock_row(membership)
        return set_role(
            organization=membership.organization, user=membership.user, role=role, actor=actor
        )


def remove_member(*, membership: Membership, actor: User | SystemActor) -> None:
    """End a membership. Raises ForbiddenError, InvalidInputError for the last owner."""
    with transaction.atomic():
        lock_members(membership.organization)
        require_permission(actor, "organization.manage", membership.organization)
        _keep_an_owner(membership.organization, membership.user, becomes=None)
        record(actor, "accounts.membership.removed", membership)
        membership.delete()
        # Answers that are kept to be given again: they tell of what is theirs no longer.
        IdempotencyRecord.objects.filter(user=membership.user).delete()
        update_staff(membership.user)
        tell_lost_right(membership.user)


def update_staff(user: User) -> None:
    """Those who work with shows may open the admin; superusers keep it whatever their role."""
    rows = Membership.objects.filter(user=user, role__in=STAFF_ROLES)
    works = not user.is_machine and rows.exists()
    is_staff = user.is_superuser or works
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff", "updated_at"])


def lock_members(organization: Organization) -> None:
    """One change of members after the other: of two last owners, one stays.

    First in the transaction: whoever has written a row of the organization shares its lock already.
    """
    Organization.objects.select_for_update().get(pk=organization.pk)


def _keep_an_owner(organization: Organization, user: User, *, becomes: str | None) -> None:
    owners = Membership.objects.filter(organization=organization, role=Role.OWNER)
    is_last = becomes != Role.OWNER and owners.filter(user=user).exists() and owners.count() == 1
    if is_last:
        raise InvalidInputError.of("role", "An organization needs at least one owner.")


def _require_place(organization: Organization, user: User) -> None:
    """For one organization more that is theirs; superusers need none."""
    if user.is_superuser:
        return
    # Of two that would be the last one, one is.
    User.objects.select_for_update().get(pk=user.pk)
    others = user.memberships.filter(role=Role.OWNER).exclude(organization=organization)
    if others.count() >= settings.ORGANIZATIONS_PER_OWNER:
        raise TooManyOrganizationsError


def _check_user(user: User, password: str) -> None:
    details: list[ErrorDetail] = []
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        for field, messages in error.message_dict.items():
            details += [ErrorDetail(field, "invalid", message) for message in messages]
    try:
        validate_password(password, user)
    except ValidationError as error:
        details += [ErrorDetail("password", "invalid", message) for message in error.messages]
    if details:
        raise InvalidInputError(details=tuple(details))
