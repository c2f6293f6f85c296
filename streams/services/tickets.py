"""Tickets: the single-use password that opens one websocket."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from livestudio.common.errors import DomainError
from streams.models import Broadcast, ConnectionTicket

Purpose = Literal["console", "watch"]

TICKET_LIFE_SECONDS: Final = 30
FORGOTTEN_AT_ONCE: Final = 1000
ORIGIN_MAX_CHARACTERS: Final = 300


class TicketRefusedError(DomainError):
    """The ticket is unknown, used, too old, or was made for another page."""

    code = "ticket_refused"
    status = 401
    message = "This ticket cannot be used (any more). Ask for a new one."


@dataclass(frozen=True, slots=True)
class TicketGrant:
    """What a ticket allows. user None: a viewer without sign-in.

    credential: the sign-in that asked for it, see `accounts.credentials`.
    """

    user: User | None
    organization_id: UUID
    broadcast_id: UUID
    purpose: Purpose
    credential: str = ""


def create_ticket(
    *,
    broadcast: Broadcast,
    purpose: Purpose,
    user: User | None,
    origin: str,
    credential: str = "",
) -> str:
    """A new ticket, good for 30 s and one connection from the same origin.

    The caller has checked that the user may see the broadcast (`access`).
    """
    ticket = secrets.token_urlsafe(32)
    ConnectionTicket.objects.create(
        hashed=_hash(ticket),
        user=user,
        broadcast=broadcast,
        purpose=purpose,
        origin=origin[:ORIGIN_MAX_CHARACTERS],
        credential=credential,
        expires_at=timezone.now() + timedelta(seconds=TICKET_LIFE_SECONDS),
    )
    return ticket


def consume_ticket(ticket: str, *, origin: str) -> TicketGrant:
    """Use a ticket up. Raises TicketRefusedError; of two that try at once one gets it."""
    rows = ConnectionTicket.objects.select_related("user", "broadcast")
    row = rows.filter(hashed=_hash(ticket)).first()
    if row is None or row.expires_at < timezone.now():
        raise TicketRefusedError
    # Deleted before the origin is judged: a ticket seen by another page is spent.
    if ConnectionTicket.objects.filter(pk=row.pk).delete()[0] != 1:
        raise TicketRefusedError
    if row.origin != origin[:ORIGIN_MAX_CHARACTERS]:
        raise TicketRefusedError
    if row.user is not None and not row.user.is_active:
        raise TicketRefusedError
    return TicketGrant(
        user=row.user,
        organization_id=row.broadcast.organization_id,
        broadcast_id=row.broadcast_id,
        purpose="console" if row.purpose == "console" else "watch",
        credential=row.credential,
    )


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def forget_expired_tickets() -> int:
    """Delete the tickets that nobody has used in time; how many."""
    expired = ConnectionTicket.objects.filter(expires_at__lt=timezone.now()).order_by("pk")
    # By their ids and in order: deleted by time, MariaDB finds deadlocks with new tickets.
    ids = list(expired.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    return ConnectionTicket.objects.filter(pk__in=ids).delete()[0]
