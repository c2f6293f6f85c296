"""What each role may do: one table. Everything else asks `require_permission`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.errors import ForbiddenError

if TYPE_CHECKING:
    from accounts.models import Organization, User


class Role(models.TextChoices):
    """From most to least rights."""

    OWNER = "owner", _("owner")
    PRODUCER = "producer", _("producer")
    OPERATOR = "operator", _("operator")
    VIEWER = "viewer", _("viewer")


class SystemActor:
    """The system itself acts (the schedule, the control loop): every permission, no user."""

    def __repr__(self) -> str:
        return "SYSTEM"


SYSTEM: Final = SystemActor()

_VIEW: Final = frozenset(
    {
        "show.view",
        "broadcast.view",
        "output.view",
        "avatar.view",
        "voice.view",
        "recording.view",
        "organization.view",
    }
)
_STEER: Final = _VIEW | {"broadcast.start", "broadcast.steer", "broadcast.replace_key"}
_PRODUCE: Final = _STEER | {
    "show.edit",
    "output.edit",
    "avatar.edit",
    "voice.edit",
    "recording.edit",
}
_OWN: Final = _PRODUCE | {"organization.manage", "audit.view"}

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    Role.OWNER: _OWN,
    Role.PRODUCER: _PRODUCE,
    Role.OPERATOR: _STEER,
    Role.VIEWER: _VIEW,
}
ALL_PERMISSIONS: Final = _OWN
# What an API key may be given: a key cannot make keys, members or invitations.
SCOPES: Final = _PRODUCE
# Those who work with shows may open the admin; it shows them their organizations' rows only.
STAFF_ROLES: Final = frozenset({Role.OWNER, Role.PRODUCER, Role.OPERATOR})


def role_has_permission(role: str, permission: str) -> bool:
    """Raises LookupError for a permission that is not in the table: a typo must not pass."""
    if permission not in ALL_PERMISSIONS:
        raise LookupError(f"no permission named {permission!r}")
    return permission in PERMISSIONS[role]


def roles_with(permission: str) -> list[str]:
    """The roles that hold a permission. Raises LookupError for an unknown one."""
    return [role for role in PERMISSIONS if role_has_permission(role, permission)]


def has_permission(actor: User | SystemActor, permission: str, organization: Organization) -> bool:
    """Whether the actor may do this in the organization. Raises LookupError as the role table."""
    # Asked for its LookupError: a typo must not pass as a refusal.
    is_known = role_has_permission(Role.OWNER, permission)
    return is_known and permission in permissions_in(actor, organization)


def permissions_in(actor: User | SystemActor, organization: Organization) -> frozenset[str]:
    """All that the actor may do in the organization. Superusers may do everything."""
    if isinstance(actor, SystemActor):
        return ALL_PERMISSIONS
    if not actor.is_active:
        return frozenset()
    if actor.is_superuser:
        return ALL_PERMISSIONS
    membership = actor.memberships.filter(organization=organization).first()
    return membership.permissions if membership is not None else frozenset()


def require_permission(
    actor: User | SystemActor, permission: str, organization: Organization
) -> None:
    """Raises ForbiddenError (403) unless the actor may do this in the organization."""
    if not has_permission(actor, permission, organization):
        raise ForbiddenError(f"Your role does not allow this ({permission}).")
