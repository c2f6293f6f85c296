"""The states of a broadcast and the moves between them, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from streams.models import Broadcast, BroadcastState
from streams.models.broadcast import FINAL_STATES, REASON_MAX_CHARACTERS
from streams.telling import TOLD_STATES, tell_broadcast

S = BroadcastState

MOVES: Final[Mapping[str, frozenset[str]]] = {
    S.STARTING: frozenset({S.LIVE, S.RECOVERING, S.STOPPING, S.ENDED, S.FAILED}),
    S.LIVE: frozenset({S.RECOVERING, S.STOPPING, S.ENDED, S.FAILED}),
    S.RECOVERING: frozenset({S.LIVE, S.STOPPING, S.ENDED, S.FAILED}),
    S.STOPPING: frozenset({S.ENDED, S.FAILED}),
    S.ENDED: frozenset(),
    S.FAILED: frozenset(),
}


def sources_of(to: str) -> list[str]:
    """The states from which `to` may be reached."""
    return [state for state, targets in MOVES.items() if to in targets]


def move(broadcast: Broadcast, to: str, reason: str = "", *, epoch: int | None = None) -> bool:
    """Bring the row to `to` if its state at this moment allows it, and refresh `broadcast`.

    Compare-and-set on every database; of two processes that try, one gets True. False = the row
    has meanwhile moved somewhere from where `to` cannot be reached (or is there already), or its
    lease epoch is not `epoch` any more.
    """
    rows = Broadcast.objects.filter(pk=broadcast.pk, state__in=sources_of(to))
    if epoch is not None:
        rows = rows.filter(lease_epoch=epoch)
    with transaction.atomic():
        changed = rows.update(**_values(to, reason)) == 1
        broadcast.refresh_from_db()
        if changed and to in TOLD_STATES:
            tell_broadcast(broadcast)
    return changed


def _values(to: str, reason: str) -> dict[str, Any]:
    now = timezone.now()
    values: dict[str, Any] = {"state": to, "reason": reason[:REASON_MAX_CHARACTERS]}
    if to in FINAL_STATES:
        values |= {"active_key": None, "ended_at": now, "next_launch_at": None}
        values |= {"avatar_on_air": None, "voice_on_air": None}
    return values
