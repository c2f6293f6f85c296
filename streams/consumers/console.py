"""The console websocket: an operator follows a broadcast and steers it with the REST verbs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, Final

from channels.db import database_sync_to_async

from accounts.models import User
from accounts.roles import permissions_in
from accounts.scope import enter
from inference.protocol import Json
from livestudio.common.errors import DomainError, ForbiddenError, NotFoundError
from livestudio.common.log import get_logger
from streams.access import get_broadcast_for
from streams.consumers.base import TicketConsumer
from streams.messages import VERSION, broadcast_json, event_json
from streams.models import Broadcast, BroadcastEvent
from streams.services.commands import await_result
from streams.services.tickets import TicketGrant
from streams.socket_messages import (
    CONSOLE_CLIENT,
    CONSOLE_SERVER,
    Command,
    ErrorBody,
    Replay,
    Result,
    Welcome,
)
from streams.verbs import Answer, perform

log = get_logger(__name__)

COMMAND_ID_MAX_CHARACTERS: Final = 100
REPLAY_MAX_EVENTS: Final = 1000


class ConsoleConsumer(TicketConsumer):
    """One operator's socket."""

    purpose: ClassVar[str] = "console"
    kinds: ClassVar[dict[str, type]] = CONSOLE_CLIENT

    async def open(self, grant: TicketGrant) -> None:
        """Greet with the broadcast and what this user may do. Raises NotFoundError and others."""
        if grant.user is None:
            raise ForbiddenError
        self.user_id = grant.user.pk
        enter(grant.user)
        await self.tell(await database_sync_to_async(self._welcome)())

    async def take(self, message: Any) -> None:
        if isinstance(message, Replay):
            await self._replay(message)
        else:
            await self._command(message)

    async def refuse(self, message_id: str, error: DomainError) -> None:
        words, wait = self.in_words(error.message), error.retry_after_seconds
        body = ErrorBody(error.code, words, retry_after_seconds=wait)
        await self.tell(Result(message_id, ok=False, error=body))

    # --- from the client -------------------------------------------------------------------------

    async def _command(self, command: Command) -> None:
        """Run a verb with the rights the user has now, and answer."""
        try:
            answer = await database_sync_to_async(self._perform)(command)
            data = answer.data
            if answer.command is not None:
                data = await await_result(answer.command)
        except DomainError as error:
            await self._refused(command, error)
        except Exception:  # noqa: BLE001 - the edge: one command's fault must not end the socket
            log.exception("console command failed", broadcast_id=self.broadcast_id)
            fault = ErrorBody("internal_error", "The server failed; the failure was logged.")
            await self.tell(Result(command.id, ok=False, error=fault))
        else:
            await self.tell(Result(command.id, ok=True, data=data))

    def _perform(self, command: Command) -> Answer:
        user = self._user()
        broadcast = get_broadcast_for(user, self.broadcast_id, "broadcast.view")
        key = f"console.{command.id[:COMMAND_ID_MAX_CHARACTERS]}" if command.id else None
        with self.speaking():
            return perform(
                command.name, broadcast=broadcast, body=command.args, actor=user,
                idempotency_key=key,
            )  # fmt: skip

    async def _refused(self, command: Command, error: DomainError) -> None:
        details = tuple(
            {**asdict(detail), "message": self.in_words(str(detail.message))}
            for detail in error.details
        )
        body = ErrorBody(
            error.code,
            self.in_words(str(error.message)),
            details,
            error.retry_after_seconds,
            dict(error.data) if error.data else None,
        )
        await self.tell(Result(command.id, ok=False, error=body))
        await self.may_stay()

    async def _replay(self, replay: Replay) -> None:
        """The events after a sequence, at most REPLAY_MAX_EVENTS, then the result."""
        if not await self.may_stay():
            return
        events = await database_sync_to_async(self._events_after)(replay.after_sequence)
        for event in events:
            await self.tell_json({"type": "event", **event})
        last = events[-1]["sequence"] if events else replay.after_sequence
        data = {"last_sequence": last, "is_complete": len(events) < REPLAY_MAX_EVENTS}
        await self.tell(Result(replay.id, ok=True, data=data))

    # --- from the audience -----------------------------------------------------------------------

    @classmethod
    def version_of(cls, kind: str, text: str) -> str | None:
        """All that the protocol knows."""
        return text if kind in CONSOLE_SERVER else None

    # --- rows ------------------------------------------------------------------------------------

    def _user(self) -> User:
        self.require_sign_in()
        user = User.objects.filter(pk=self.user_id, is_active=True).first()
        if user is None:
            raise NotFoundError
        return user

    def _broadcast(self) -> Broadcast:
        return get_broadcast_for(self._user(), self.broadcast_id, "broadcast.view")

    def _welcome(self) -> Welcome:
        user, broadcast = self._user(), self._broadcast()
        allowed = permissions_in(user, broadcast.organization)
        return Welcome(
            VERSION,
            broadcast_json(broadcast, with_runner=user.is_staff),
            tuple(sorted(allowed)),
        )

    def _events_after(self, sequence: int) -> list[Json]:
        rows = BroadcastEvent.objects.filter(broadcast__pk=self.broadcast_id, sequence__gt=sequence)
        return [event_json(row) for row in rows.order_by("sequence")[:REPLAY_MAX_EVENTS]]
