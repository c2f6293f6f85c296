"""What happens to shows and broadcasts, told to the outside (`accounts.event_types`).

Called in the transaction of the change.
"""

from __future__ import annotations

from typing import Final, Literal

from accounts.events import emit
from streams.messages import moment
from streams.models import Broadcast, BroadcastOutput, BroadcastState, Show, Utterance

# Of the states of a broadcast those that the outside hears of; `stopping` is over soon.
TOLD_STATES: Final = frozenset(
    {
        BroadcastState.LIVE,
        BroadcastState.RECOVERING,
        BroadcastState.ENDED,
        BroadcastState.FAILED,
    }
)
TOLD_OUTPUT_STATES: Final = frozenset({"live", "retrying", "failed"})


def tell_show(show: Show, change: Literal["created", "changed", "deleted"]) -> None:
    """A show was made, changed (its rundown and schedule too) or put away."""
    emit(show.organization_id, f"show.{change}", {"show": str(show.pk), "title": show.title})


def tell_broadcast(broadcast: Broadcast, change: str | None = None) -> None:
    """The state it has now, or `started`."""
    data = {
        "broadcast": str(broadcast.pk),
        "show": str(broadcast.show_id),
        "title": broadcast.snapshot["title"],
        "state": broadcast.state,
        "reason": broadcast.reason,
        "started_at": moment(broadcast.started_at),
        "first_frame_at": moment(broadcast.first_frame_at),
        "ended_at": moment(broadcast.ended_at),
    }
    emit(broadcast.organization_id, f"broadcast.{change or broadcast.state}", data)


def tell_output(broadcast: Broadcast, row: BroadcastOutput) -> None:
    """The state that a destination has now."""
    data = {
        "broadcast": str(broadcast.pk),
        "show": str(broadcast.show_id),
        "broadcast_output": str(row.pk),
        "output": str(row.output_id) if row.output_id else None,
        "name": row.name,
        "state": row.state,
        "reason": row.reason,
    }
    emit(broadcast.organization_id, f"output.{row.state}", data)


def tell_said(broadcast: Broadcast, utterance: Utterance) -> None:
    """A sentence was said to its end."""
    data = {
        "broadcast": str(broadcast.pk),
        "show": str(broadcast.show_id),
        "utterance": str(utterance.pk),
        "source": utterance.source,
        "text": utterance.text,
        "played_ms": utterance.played_ms or 0,
        "duration_ms": utterance.duration_ms or 0,
    }
    emit(broadcast.organization_id, "utterance.said", data, at=utterance.updated_at)
