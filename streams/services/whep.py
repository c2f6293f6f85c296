"""WHEP viewers (draft-ietf-wish-whep): one POST joins, PATCH trickles, DELETE leaves.

No socket of theirs is open here, so the right to watch is asked again for their rows: by the
consumer of the runner link, which also tells the runner who has to go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache

from accounts.credentials import credential_of
from accounts.models import User
from livestudio.common.errors import InvalidInputError, TooManyRequestsError
from streams.access import get_whep_viewer, may_stay
from streams.errors import NotLiveError, ViewerLimitError
from streams.models import Broadcast, BroadcastState, WhepViewer
from streams.models.show import Visibility
from streams.poke import poke_whep_viewers
from streams.services import signalling
from streams.services.offers import (
    OFFERS_WAITING,
    VIEWER_MAX_CANDIDATES,
    require_bounded_offer,
)

CANDIDATES_COUNTED_SECONDS: Final = 24 * 3600
CANDIDATES_AT_ONCE: Final = 50
NOT_LIVE_RETRY_SECONDS: Final = 2
JOIN_RETRY_SECONDS: Final = 5
# In these states a runner has (or soon has again) a picture to send.
WATCHABLE_STATES: Final = frozenset(
    {BroadcastState.LIVE, BroadcastState.RECOVERING, BroadcastState.STOPPING}
)


@dataclass(frozen=True, slots=True)
class Joined:
    """A viewer that got its answer. sdp: with every candidate of ours."""

    viewer: str
    sdp: str


def join(
    *, broadcast: Broadcast, offer: str, source: str, user: User | None, auth: Any = None
) -> Joined:
    """Set up one viewer. source: of its network address, see `offers.source_of`.

    user, auth: who asks and what they signed in with; the caller has checked that they may watch.

    Raises NotLiveError (409), InvalidInputError (400) for something that is no offer,
    ViewerLimitError (503) when too many join at this moment, and what the runner refuses with:
    ViewerLimitError (503), CodecUnsupportedError (406).
    """
    if broadcast.state not in WATCHABLE_STATES:
        is_over = broadcast.is_over
        message = "This broadcast is over." if is_over else "This broadcast has not begun yet."
        raise NotLiveError(message, retry_after_seconds=NOT_LIVE_RETRY_SECONDS)
    _check_offer(offer)
    data = {"sdp": offer, "source": source}
    with OFFERS_WAITING.hold(str(broadcast.pk), _too_many()):
        row = WhepViewer.objects.create(
            viewer=signalling.new_viewer(),
            broadcast=broadcast,
            user=user,
            credential=credential_of(auth),
        )
        return Joined(row.viewer, _answer(row, data))


def _answer(row: WhepViewer, data: dict[str, Any]) -> str:
    """The runner's answer. The row is there before it: nobody watches whom nobody can send away."""
    try:
        answer = signalling.request_sync(row.broadcast_id, row.viewer, "offer", data)
    except BaseException:
        row.delete()
        raise
    return str(answer.data["sdp"])


def trickle(*, broadcast_id: UUID, viewer: str, fragment: str) -> None:
    """Pass on the viewer's candidates.

    Raises NotFoundError, InvalidInputError, TooManyRequestsError (429).
    """
    get_whep_viewer(broadcast_id, viewer)
    candidates = parse_fragment(fragment)
    _count_candidates(viewer, len(candidates))
    for candidate in candidates:
        signalling.tell_sync(broadcast_id, viewer, "candidate", candidate)


def leave(*, broadcast_id: UUID, viewer: str) -> None:
    """End a viewer's connection. Raises NotFoundError."""
    get_whep_viewer(broadcast_id, viewer).delete()
    signalling.tell_sync(broadcast_id, viewer, "bye", {})


def unwelcome(broadcast_id: UUID | str) -> set[str]:
    """The viewers who may not watch (any more). For a public show one query, which finds none."""
    rows = WhepViewer.objects.filter(
        broadcast__pk=broadcast_id, broadcast__show__visibility=Visibility.PRIVATE
    )
    rows = rows.select_related("user", "broadcast__show__organization")
    return {row.viewer for row in rows if not may_stay(row)}


def look_again(credentials: Collection[str]) -> None:
    """Ask at once about those who watch by these sign-ins, not seconds later."""
    watched = WhepViewer.objects.filter(credential__in=credentials).values_list("broadcast_id")
    for (broadcast_id,) in watched.distinct():
        poke_whep_viewers(broadcast_id)


def forget(broadcast_id: UUID | str, viewers: Iterable[str]) -> None:
    """These are at the runner no longer."""
    WhepViewer.objects.filter(broadcast__pk=broadcast_id, viewer__in=list(viewers)).delete()


def forget_all(broadcast_id: UUID | str) -> None:
    """The runner that they watched has ended."""
    # By their ids: deleted by broadcast, MariaDB finds deadlocks with those who join.
    ids = list(WhepViewer.objects.filter(broadcast__pk=broadcast_id).values_list("pk", flat=True))
    if ids:
        WhepViewer.objects.filter(pk__in=ids).delete()


def parse_fragment(fragment: str) -> list[dict[str, Any]]:
    """The candidates of an SDP fragment (RFC 8840) as browsers write them.

    Raises InvalidInputError for lines that are no SDP, or too many of them.
    """
    candidates: list[dict[str, Any]] = []
    mid, index = "0", -1
    for line in fragment.splitlines():
        if not line.strip():
            continue
        if len(line) < 2 or line[1] != "=":
            raise InvalidInputError("The body is not an SDP fragment.")
        if line.startswith("m="):
            index += 1
        elif line.startswith("a=mid:"):
            mid = line[6:].strip()
        elif line.startswith("a=candidate:"):
            candidates.append(
                {"candidate": line[2:].strip(), "sdpMid": mid, "sdpMLineIndex": max(0, index)}
            )
    if len(candidates) > CANDIDATES_AT_ONCE:
        raise InvalidInputError(f"At most {CANDIDATES_AT_ONCE} candidates at once.")
    return candidates


def _check_offer(offer: str) -> None:
    lines = offer.splitlines()
    if not lines or lines[0].strip() != "v=0":
        raise InvalidInputError("The body is not a session description; it begins with v=0.")
    if not any(line.startswith("m=") for line in lines):
        raise InvalidInputError("The offer has no media in it.")
    require_bounded_offer(offer)


def _too_many() -> ViewerLimitError:
    message = "Too many viewers join at this moment; try again later."
    return ViewerLimitError(message, retry_after_seconds=JOIN_RETRY_SECONDS)


def _count_candidates(viewer: str, count: int) -> None:
    key = f"whep-candidates:{viewer}"
    cache.add(key, 0, CANDIDATES_COUNTED_SECONDS)
    if cache.incr(key, count) > VIEWER_MAX_CANDIDATES:
        message = f"A viewer has at most {VIEWER_MAX_CANDIDATES} candidates. Join anew."
        raise TooManyRequestsError(message, retry_after_seconds=JOIN_RETRY_SECONDS)
