"""What console and watch share: opened by a ticket, JSON texts, and bad ones answered politely."""

from __future__ import annotations

import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections import deque
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation
from django.utils.translation.trans_real import (
    get_supported_language_variant,
    parse_accept_lang_header,
)

from accounts.credentials import is_live
from inference.protocol import CLOSE_BAD_TOKEN, CLOSE_FORBIDDEN, CLOSE_NOT_FOUND, Json
from livestudio.common.errors import (
    DomainError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TooManyRequestsError,
)
from livestudio.common.log import get_logger
from livestudio.common.networks import network_of
from livestudio.common.parsers import has_half_a_character
from livestudio.common.places import Places
from livestudio.common.reasons import translate_reason
from streams.consumers import audience
from streams.poke import credential_group
from streams.services.tickets import TicketGrant, TicketRefusedError, consume_ticket
from streams.socket_messages import (
    SUBPROTOCOL,
    TICKET_PREFIX,
    MessageError,
    from_json,
    json_text,
    to_json,
)
from streams.socket_rights import Holder, refusals

log = get_logger(__name__)

MAX_TEXT_CHARACTERS: Final = 64 * 1024  # an SDP offer has about 6,000
MESSAGES_PER_SECOND: Final = 20.0
MESSAGES_BURST: Final = 60.0
# Refused without a pause: who does not hear that it is too much is sent away.
REFUSED_IN_A_ROW: Final = 200
# A page opens two at most; many viewers may share an address.
SOCKETS: Final = Places(each=500, total=5000)
_CLOSE_POLICY: Final = 1008
_CLOSE_TRY_AGAIN: Final = 1013


class RateLimit:
    """A token bucket: `burst` at once, `per_second` for ever. refused: how many in a row."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._tokens, self._at = burst, time.monotonic()
        self.refused = 0

    def allows(self) -> bool:
        """Whether one more may be taken now."""
        now = time.monotonic()
        refilled = self._tokens + (now - self._at) * self._per_second
        self._tokens, self._at = min(self._burst, refilled), now
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        self.refused = 0
        return True


class TicketConsumer(AsyncWebsocketConsumer, ABC):
    """A websocket of a browser, one of an `Audience`.

    Subclasses: `purpose`, `kinds`, `version_of`, `open`, `take`, `refuse`.
    """

    purpose: ClassVar[str]
    kinds: ClassVar[dict[str, type]]
    grant: TicketGrant | None = None
    holder: Holder
    credential: str = ""
    _has_place = False
    _is_busy = _is_closed = False

    @property
    def broadcast_id(self) -> str:
        """The broadcast in the address."""
        return str(self.scope["url_route"]["kwargs"]["broadcast_id"])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # What is told while the socket is busy, in its order.
        self._held: deque[Json] = deque()
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Not in `disconnect`, which is not called when a handler fails: without the database
            # each page that tries again would take a place for good.
            if self._has_place:
                SOCKETS.leave(self.address)
            await audience.leave(self.broadcast_id, self)

    async def dispatch(self, message: Any) -> None:
        """What is told meanwhile is heard afterwards: after the welcome, and after an answer."""
        self._is_busy = True
        await super().dispatch(message)
        while self._held:
            await self.base_send(self._held.popleft())
        self._is_busy = False

    async def connect(self) -> None:
        # Accepted before it is judged: only then does a browser see the close code.
        offered = self.scope["subprotocols"]
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        self.address = network_of(_address(self.scope))
        self._has_place = SOCKETS.take(self.address)
        if not self._has_place:
            await self.close(_CLOSE_TRY_AGAIN)
            return
        self.rate = RateLimit(MESSAGES_BURST, MESSAGES_PER_SECOND)
        try:
            grant = await database_sync_to_async(consume_ticket)(
                _ticket(offered), origin=_origin(self.scope)
            )
            if grant.purpose != self.purpose or str(grant.broadcast_id) != self.broadcast_id:
                raise TicketRefusedError
            user_id = grant.user.pk if grant.user is not None else None
            self.holder = Holder(grant.purpose, user_id, grant.credential)
            await audience.join(self.broadcast_id, self)
            await self._follow(grant.credential)
            await self.open(grant)
        except DomainError as error:
            await self.close(close_code(error))
            return
        self.grant = grant

    async def disconnect(self, code: int) -> None:
        if self.credential:
            group = credential_group(self.credential)
            await self.channel_layer.group_discard(group, self.channel_name)
        if self.grant is not None:
            await self.left()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.grant is None:
            return
        if not self.rate.allows():
            await self._slow_down(text_data)
            return
        raw: Any = None
        try:
            raw = _parse(text_data)
            message = from_json(raw, self.kinds)
        except MessageError as error:
            await self.refuse(_id_of(raw), InvalidInputError(str(error)))
            return
        await self.take(message)

    async def _slow_down(self, text: str | None) -> None:
        """Answer a message that is one too many; only its id is read, which a page waits for."""
        if self.rate.refused > REFUSED_IN_A_ROW:
            await self.close(_CLOSE_POLICY)
            return
        message = "Too many messages; slow down."
        raw: Any = None
        with contextlib.suppress(MessageError):
            raw = _parse(text)
        await self.refuse(_id_of(raw), TooManyRequestsError(message, retry_after_seconds=1))

    async def credential_changed(self, event: Json) -> None:
        """The sign-in that opened this socket was ended, or its user lost a right."""
        if self.grant is not None:
            await self.may_stay()

    def require_sign_in(self) -> None:
        """Look at the row of the sign-in that opened this socket. Raises TicketRefusedError."""
        if not is_live(self.credential):
            raise TicketRefusedError

    async def may_stay(self) -> bool:
        """Ask again for the right to be here; who has lost it is sent away."""
        refused = await database_sync_to_async(refusals)(self.broadcast_id, [self.holder])
        for error in refused.values():
            await self.send_away(error)
        return not refused

    async def send_away(self, error: DomainError) -> None:
        """The right to be here is lost."""
        await self.close(close_code(error))

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Nothing is said after it."""
        if not self._is_closed:
            self._is_closed = True
            self._held.clear()
            await super().close(code, reason)

    async def hear(self, text: str) -> None:
        """What the audience is told; a server that waits for slow readers would hold all up."""
        message = {"type": "websocket.send", "text": text}
        if self._is_closed:
            return
        if self._is_busy:
            self._held.append(message)
        else:
            await self.base_send(message)

    @classmethod
    @abstractmethod
    def version_of(cls, kind: str, text: str) -> str | None:
        """What a socket of this class hears of a text told to all; None: nothing."""

    async def _follow(self, credential: str) -> None:
        """Hear of the end of the sign-in. Before `open`, which looks whether it holds still."""
        self.credential = credential
        if credential:
            await self.channel_layer.group_add(credential_group(credential), self.channel_name)

    @abstractmethod
    async def open(self, grant: TicketGrant) -> None:
        """Check the right to be here, then greet. Raises DomainError."""

    @abstractmethod
    async def take(self, message: Any) -> None:
        """Do what a valid message asks."""

    @abstractmethod
    async def refuse(self, message_id: str, error: DomainError) -> None:
        """Answer a text that is no message, or one too many."""

    async def left(self) -> None:
        """The socket has closed."""

    def in_words(self, text: str) -> str:
        """A refusal in the language that the handshake asked for; English where it named none."""
        with self.speaking():
            return translate_reason(text)

    def speaking(self) -> AbstractContextManager[None]:
        """What is worded inside (by serializers, too) is in the language of the handshake."""
        return translation.override(_language(self.scope))

    async def tell(self, message: Any) -> None:
        """Send one server message (a dataclass of `socket_messages`)."""
        await self.tell_json(to_json(message))

    async def tell_json(self, message: Json) -> None:
        """Send one message in its JSON form."""
        if not self._is_closed:
            await self.send(text_data=json_text(message))


class NoSuchSocket(AsyncWebsocketConsumer):
    """Answers every other address, which the framework would do with a failure of the server."""

    async def connect(self) -> None:
        offered = self.scope["subprotocols"]
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        await self.close(CLOSE_NOT_FOUND)


def close_code(error: DomainError) -> int:
    """The close code of the contract for a refusal."""
    if isinstance(error, ForbiddenError):
        return CLOSE_FORBIDDEN
    if isinstance(error, NotFoundError):
        return CLOSE_NOT_FOUND
    return CLOSE_BAD_TOKEN


def _ticket(offered: list[str]) -> str:
    tickets = [item for item in offered if item.startswith(TICKET_PREFIX)]
    if len(tickets) != 1 or SUBPROTOCOL not in offered:
        raise TicketRefusedError
    return tickets[0].removeprefix(TICKET_PREFIX)


def _address(scope: Any) -> str:
    """Who connects, as `throttles` count requests: behind our proxy, by what that says."""
    forwarded = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
    if settings.REST_FRAMEWORK["NUM_PROXIES"] and forwarded:
        return str(forwarded.rpartition(",")[2].strip())
    return str((scope.get("client") or [""])[0])


def _origin(scope: Any) -> str:
    return str(dict(scope["headers"]).get(b"origin", b"").decode("latin-1"))


def _language(scope: Any) -> str:
    header = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    for code, _weight in parse_accept_lang_header(header):
        with contextlib.suppress(LookupError):
            return get_supported_language_variant(code)
    return "en"


def _parse(text: str | None) -> Any:
    if text is None:
        raise MessageError("Send text, not binary.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise MessageError(f"A message has at most {MAX_TEXT_CHARACTERS} characters.")
    try:
        raw = json.loads(text, parse_constant=_refuse_constant)
        is_broken = "\\u" in text and has_half_a_character(raw)
    except (ValueError, RecursionError) as error:
        raise MessageError("The text is not JSON.") from error
    if is_broken:
        # It would end whichever socket it is written to, of a runner too.
        raise MessageError("The text holds half of a character (a lone surrogate).")
    return raw


def _refuse_constant(name: str) -> Any:
    """NaN and infinities are Python's, not JSON's."""
    raise ValueError(name)


def _id_of(raw: Any) -> str:
    value = raw.get("id") if isinstance(raw, dict) else None
    return value if isinstance(value, str) else ""
