"""WHEP viewers (draft-ietf-wish-whep): one POST joins, PATCH trickles, DELETE leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache

from livestudio.common.errors import InvalidInputError, NotFoundError, TooManyRequestsError
from streams.errors import NotLiveError, ViewerLimitError
from streams.models import Broadcast, BroadcastState
from streams.services import signalling
from streams.services.offers import (
    OFFERS_WAITING,
    VIEWER_MAX_CANDIDATES,
    require_bounded_offer,
)

VIEWER_MAX_CHARACTERS: Final = 64
VIEWER_KEPT_SECONDS: Final = 24 * 3600
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


def join(*, broadcast: Broadcast, offer: str, source: str) -> Joined:
    """Set up one viewer. source: of its network address, see `offers.source_of`.

    Raises NotLiveError (409), InvalidInputError (400) for something that is no offer,
    ViewerLimitError (503) when too many join at this moment, and what the runner refuses with:
    ViewerLimitError (503), CodecUnsupportedError (406).
    """
    if broadcast.state not in WATCHABLE_STATES:
        message = f"This broadcast is not live ({broadcast.state})."
        raise NotLiveError(message, retry_after_seconds=NOT_LIVE_RETRY_SECONDS)
    _check_offer(offer)
    viewer = signalling.new_viewer()
    data = {"sdp": offer, "source": source}
    with OFFERS_WAITING.hold(str(broadcast.pk), _too_many()):
        answer = signalling.request_sync(broadcast.pk, viewer, "offer", data)
    cache.set(_key(viewer), str(broadcast.pk), VIEWER_KEPT_SECONDS)
    return Joined(viewer, str(answer.data["sdp"]))


def trickle(*, broadcast_id: UUID, viewer: str, fragment: str) -> None:
    """Pass on the viewer's candidates.

    Raises NotFoundError, InvalidInputError, TooManyRequestsError (429).
    """
    _require_viewer(broadcast_id, viewer)
    candidates = parse_fragment(fragment)
    _count_candidates(viewer, len(candidates))
    for candidate in candidates:
        signalling.tell_sync(broadcast_id, viewer, "candidate", candidate)


def leave(*, broadcast_id: UUID, viewer: str) -> None:
    """End a viewer's connection. Raises NotFoundError."""
    _require_viewer(broadcast_id, viewer)
    cache.delete(_key(viewer))
    signalling.tell_sync(broadcast_id, viewer, "bye", {})


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
    cache.add(key, 0, VIEWER_KEPT_SECONDS)
    if cache.incr(key, count) > VIEWER_MAX_CANDIDATES:
        message = f"A viewer has at most {VIEWER_MAX_CANDIDATES} candidates. Join anew."
        raise TooManyRequestsError(message, retry_after_seconds=JOIN_RETRY_SECONDS)


def _require_viewer(broadcast_id: UUID, viewer: str) -> None:
    # A name in the address may be longer than a key of the cache.
    if len(viewer) > VIEWER_MAX_CHARACTERS or cache.get(_key(viewer)) != str(broadcast_id):
        raise NotFoundError("There is no such viewer (any more).")


def _key(viewer: str) -> str:
    return f"whep:{viewer}"
