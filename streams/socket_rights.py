"""Who may stay on the sockets of one broadcast: asked for all of them, in a few queries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from accounts.access import permissions_of
from accounts.credentials import live_of
from accounts.models import User
from livestudio.common.errors import DomainError, ForbiddenError, NotFoundError
from streams.access import Id, get_any_broadcast
from streams.errors import SignInRequiredError
from streams.models.show import Visibility
from streams.services.tickets import Purpose, TicketRefusedError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a socket. user_id None: a viewer without sign-in.

    credential: the sign-in that opened it, see `accounts.credentials`.
    """

    purpose: Purpose
    user_id: UUID | None
    credential: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of the holders: active users, permissions of members, live sign-ins."""

    active: set[UUID]
    permissions: dict[UUID, frozenset[str]]
    live: set[str]


def refusals(broadcast_id: Id, holders: Collection[Holder]) -> dict[Holder, DomainError]:
    """Those who may not stay, and why. Five queries at most, however many are asked for."""
    try:
        broadcast = get_any_broadcast(broadcast_id)
    except NotFoundError as error:
        return dict.fromkeys(holders, error)
    is_private = broadcast.show.visibility == Visibility.PRIVATE
    # A show that is not private is for everybody, whoever they are.
    asked = [holder for holder in holders if is_private or holder.purpose == "console"]
    if not asked:
        return {}
    ids = {holder.user_id for holder in asked if holder.user_id is not None}
    users = list(User.objects.filter(pk__in=ids, is_active=True))
    known = _Known(
        {user.pk for user in users},
        permissions_of(users, broadcast.organization_id),
        live_of({holder.credential for holder in asked}),
    )
    found = {holder: _refusal(holder, known) for holder in asked}
    return {holder: error for holder, error in found.items() if error is not None}


def _refusal(holder: Holder, known: _Known) -> DomainError | None:
    """As `access` refuses the same when the socket is opened."""
    allowed = known.permissions.get(holder.user_id) if holder.user_id is not None else None
    if holder.purpose == "console":
        if holder.credential not in known.live:
            return TicketRefusedError()
        if allowed is None:
            return NotFoundError()
        return None if "broadcast.view" in allowed else ForbiddenError()
    if holder.user_id not in known.active:
        return SignInRequiredError()
    if allowed is None or "broadcast.view" not in allowed:
        return NotFoundError()
    return None if holder.credential in known.live else TicketRefusedError()
