"""The watch websocket: signalling of one viewer, the state of the show, captions and lips."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, ClassVar, Final

from channels.db import database_sync_to_async

from accounts.models import User
from inference.protocol import Json, Signal, decode
from livestudio.common.errors import DomainError, TooManyRequestsError
from streams.access import get_any_broadcast, get_watchable_broadcast
from streams.consumers.base import RateLimit, TicketConsumer
from streams.errors import NotLiveError
from streams.models import Broadcast
from streams.models.show import Visibility
from streams.services import signalling
from streams.services.offers import VIEWER_MAX_CANDIDATES, require_bounded_offer, source_of
from streams.services.tickets import TicketGrant
from streams.socket_messages import (
    WATCH_CLIENT,
    Answer,
    Candidate,
    Failure,
    Offer,
    State,
    json_text,
    to_json,
)

# A page offers anew when its connection is lost.
OFFERS_BURST: Final = 5.0
OFFERS_PER_SECOND: Final = 0.2
HEARD: Final = frozenset({"state", "caption", "viseme"})


class WatchConsumer(TicketConsumer):
    """One viewer's socket. The viewer at the runner lives no longer than it."""

    purpose: ClassVar[str] = "watch"
    kinds: ClassVar[dict[str, type]] = WATCH_CLIENT

    async def open(self, grant: TicketGrant) -> None:
        """Greet with the state. Raises NotFoundError and others."""
        self.viewer = signalling.new_viewer()
        self.has_offered = False
        self.candidates = 0
        self.offers = RateLimit(OFFERS_BURST, OFFERS_PER_SECOND)
        self.offering: asyncio.Task[None] | None = None
        self.user_id = grant.user.pk if grant.user is not None else None
        broadcast = await database_sync_to_async(self._watchable)()
        group = signalling.viewer_group(self.broadcast_id, self.viewer)
        await self.channel_layer.group_add(group, self.channel_name)
        await self._tell_state(broadcast)

    async def left(self) -> None:
        """Tell the runner that the viewer has gone, however the socket ended."""
        if self.offering is not None:
            self.offering.cancel()
            await asyncio.gather(self.offering, return_exceptions=True)
        await self._bye()
        group = signalling.viewer_group(self.broadcast_id, self.viewer)
        await self.channel_layer.group_discard(group, self.channel_name)

    async def take(self, message: Any) -> None:
        if isinstance(message, Offer):
            await self._take_offer(message)
        elif isinstance(message, Candidate):
            await self._candidate(message)
        else:
            await self._bye()

    async def refuse(self, message_id: str, error: DomainError) -> None:
        words, wait = self.in_words(error.message), error.retry_after_seconds
        await self.tell(Failure(error.code, words, wait))

    # --- signalling ------------------------------------------------------------------------------

    async def _take_offer(self, offer: Offer) -> None:
        """Each makes the runner build a connection: a socket gets few of them."""
        try:
            if not self.offers.allows():
                wait = math.ceil(1 / OFFERS_PER_SECOND)
                message = f"Too many offers; wait {wait} seconds."
                raise TooManyRequestsError(message, retry_after_seconds=wait)
            require_bounded_offer(offer.sdp)
        except DomainError as error:
            await self.refuse("", error)
            return
        self.candidates = 0
        self._start_offer(offer)

    def _start_offer(self, offer: Offer) -> None:
        """In a task of its own: candidates and captions go on while the runner answers."""
        if self.offering is not None:
            self.offering.cancel()
        self.offering = asyncio.create_task(self._offer(offer), name="watch-offer")

    async def _offer(self, offer: Offer) -> None:
        self.has_offered = True
        try:
            await database_sync_to_async(self._require_on_air)()
            answer = await signalling.request(
                self.broadcast_id,
                self.viewer,
                "offer",
                {"sdp": offer.sdp, "source": source_of(self.address)},
            )
        except DomainError as error:
            code = "signalling" if error.code in _SIGNALLING else error.code
            await self.tell(Failure(code, self.in_words(error.message), error.retry_after_seconds))
            return
        await self.tell(Answer(str(answer.data.get("sdp", ""))))

    async def _candidate(self, candidate: Candidate) -> None:
        data = {
            "candidate": candidate.candidate,
            "sdpMid": candidate.sdpMid,
            "sdpMLineIndex": candidate.sdpMLineIndex,
        }
        self.candidates += 1
        if self.has_offered and self.candidates <= VIEWER_MAX_CANDIDATES:
            await signalling.tell(self.broadcast_id, self.viewer, "candidate", data)

    async def _bye(self) -> None:
        if self.has_offered:
            self.has_offered = False
            await signalling.tell(self.broadcast_id, self.viewer, "bye", {})

    def _require_on_air(self) -> None:
        if get_any_broadcast(self.broadcast_id).is_over:
            raise NotLiveError(retry_after_seconds=10)

    # --- from the channel layer ------------------------------------------------------------------

    async def viewer_signal(self, event: Json) -> None:
        """What the runner says to this viewer; answers go to the request that waits for them."""
        signal = decode(Signal, event["signal"])
        if signal.kind == "candidate":
            await self.tell_json({**signal.data, "type": "candidate"})
        elif signal.kind == "state":
            data = signal.data
            await self.tell(State(str(data.get("state", "live")), str(data.get("reason", ""))))
        elif signal.kind == "error" and not signal.id:
            await self._connection_failed(signal)

    async def _connection_failed(self, signal: Signal) -> None:
        """A step after signalling: `ice_failed`, `dtls_failed`. `closed` is the browser's doing."""
        code = str(signal.data.get("code", ""))
        if code != "closed":
            await self.tell(Failure(code, str(signal.data.get("message", ""))))

    # --- from the audience -----------------------------------------------------------------------

    @classmethod
    def version_of(cls, kind: str, text: str) -> str | None:
        """State, captions and lips; nothing else of what consoles hear."""
        if kind == "state":
            message = json.loads(text)
            return json_text(to_json(State(message["state"], message["reason"])))
        return text if kind in HEARD else None

    # --- rows ------------------------------------------------------------------------------------

    def _watchable(self) -> Broadcast:
        viewer = None
        if self.user_id is not None:
            viewer = User.objects.filter(pk=self.user_id, is_active=True).first()
        broadcast = get_watchable_broadcast(viewer, self.broadcast_id)
        if broadcast.show.visibility == Visibility.PRIVATE:
            self.require_sign_in()
        return broadcast

    async def _tell_state(self, broadcast: Broadcast) -> None:
        await self.tell(State(broadcast.state, broadcast.reason))


_SIGNALLING: Final = frozenset({"signalling_failed", "runner_unreachable", "invalid"})
