"""The sockets of one broadcast in this process: told, and asked for their right, all at once.

One channel hears for all of them. What it hears is written to each in turn: a task, a channel and
a look at the rows for each socket cost more than everything else together (ADR 0053).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from inference.protocol import Json
from livestudio.common.errors import DomainError, NotFoundError
from livestudio.common.log import get_logger
from streams.access import get_any_broadcast
from streams.poke import broadcast_group
from streams.socket_messages import cursor_message, json_text, output_message, state_message
from streams.socket_rights import Holder, refusals

log = get_logger(__name__)

# The right of all to be here is asked again this often, and whenever the row was changed.
RECHECK_SECONDS: Final = 10.0
# After a failure, of the database for example.
PAUSE_SECONDS: Final = 1.0
# So many are written to in a row; then whatever else this process serves has its turn.
WRITTEN_AT_ONCE: Final = 50
Texts = list[tuple[str, str]]


class Listener(Protocol):
    """A socket of an audience."""

    holder: Holder

    @classmethod
    def version_of(cls, kind: str, text: str) -> str | None:
        """What a socket of this class hears of a text; None: nothing."""

    async def hear(self, text: str) -> None:
        """Write a text, without waiting for whoever reads it."""

    async def send_away(self, error: DomainError) -> None:
        """Close: the right to be here is lost."""


class Audience:
    """Consoles and viewers of one broadcast on one event loop; lives from the first to the last."""

    def __init__(self, broadcast_id: str) -> None:
        self.broadcast_id = broadcast_id
        self._listeners: dict[Listener, None] = {}
        self._opening = asyncio.Lock()
        self._channel = ""
        self._is_subscribed = False
        # Unbounded, as the layer's own queue before it: texts are shared by all sockets.
        self._events: asyncio.Queue[Json] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._listeners)

    async def enter(self, listener: Listener) -> None:
        """What is told from now on is heard, which fails if the broker is away."""
        self._listeners[listener] = None
        async with self._opening:
            layer: Any = get_channel_layer()
            if not self._channel:
                self._channel = await layer.new_channel()
                steps = (self._hear_next, self._tell_next, self._look_after_rights)
                # In a context of their own: a socket's reads rows for its user alone.
                self._tasks = [
                    asyncio.create_task(self._forever(step), name="audience", context=Context())
                    for step in steps
                ]
            if not self._is_subscribed:
                await layer.group_add(self._group, self._channel)
                self._is_subscribed = True

    def leave(self, listener: Listener) -> None:
        """A socket has closed."""
        self._listeners.pop(listener, None)

    async def close(self) -> None:
        """Hear nothing any more. What is cut off while it receives ends its subscription."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._channel:
            layer: Any = get_channel_layer()
            try:
                await layer.group_discard(self._group, self._channel)
            except Exception:  # noqa: BLE001 - the edge: a broker that is away holds no socket up
                log.warning("group not left", broadcast_id=self.broadcast_id, exc_info=True)

    async def ask_again(self) -> None:
        """Send away who may not be here any more."""
        listeners = list(self._listeners)
        holders = {listener.holder for listener in listeners}
        refused = await database_sync_to_async(refusals)(self.broadcast_id, holders)
        for listener in listeners:
            if listener.holder in refused:
                await listener.send_away(refused[listener.holder])

    # --- in the background -----------------------------------------------------------------------

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except Exception:  # noqa: BLE001 - the edge: whatever fails, the sockets stay
                log.warning("audience failed", broadcast_id=self.broadcast_id, exc_info=True)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear_next(self) -> None:
        """Nothing else is waited for here: only who is cut off in `receive` is unsubscribed."""
        layer: Any = get_channel_layer()
        self._events.put_nowait(await layer.receive(self._channel))

    async def _tell_next(self) -> None:
        event = await self._events.get()
        if event["type"] == "broadcast.told":
            await self._tell(event["texts"])
        else:
            await self.ask_again()
            await self._tell(await database_sync_to_async(_changes)(self.broadcast_id))

    async def _look_after_rights(self) -> None:
        await asyncio.sleep(RECHECK_SECONDS)
        await self.ask_again()

    async def _tell(self, texts: Texts) -> None:
        """To each socket what its kind hears of these, in their order."""
        for name, text in texts:
            # One text after the other: the server frames a text once that goes to many in a row.
            kinds = {type(listener) for listener in self._listeners}
            heard = {kind: kind.version_of(name, text) for kind in kinds}
            for number, listener in enumerate(list(self._listeners), 1):
                version = heard[type(listener)]
                if version is not None:
                    await self._write(listener, version)
                if number % WRITTEN_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _write(self, listener: Listener, text: str) -> None:
        try:
            await listener.hear(text)
        except Exception:  # noqa: BLE001 - the edge: one socket's fault is not the others'
            log.warning("socket not told", broadcast_id=self.broadcast_id, exc_info=True)

    @property
    def _group(self) -> str:
        return broadcast_group(self.broadcast_id)


_audiences: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Audience]] = WeakKeyDictionary()


def audiences() -> dict[str, Audience]:
    """Those of this event loop, by broadcast."""
    return _audiences.setdefault(asyncio.get_running_loop(), {})


async def join(broadcast_id: str, listener: Listener) -> None:
    """From here on the listener hears what is told of the broadcast."""
    audience = audiences().get(broadcast_id)
    if audience is None:
        audience = audiences()[broadcast_id] = Audience(broadcast_id)
    await audience.enter(listener)


async def leave(broadcast_id: str, listener: Listener) -> None:
    """The listener hears nothing any more; with the last one the audience ends."""
    audience = audiences().get(broadcast_id)
    if audience is None:
        return
    audience.leave(listener)
    if not len(audience):
        # First: who joins while it closes gets a new one.
        del audiences()[broadcast_id]
        await audience.close()


def _changes(broadcast_id: str) -> Texts:
    """What there is to tell of a row that a service changed."""
    try:
        broadcast = get_any_broadcast(broadcast_id)
    except NotFoundError:
        return []
    outputs = [output_message(row) for row in broadcast.outputs.order_by("created_at")]
    messages = [state_message(broadcast), cursor_message(broadcast), *outputs]
    return [(message["type"], json_text(message)) for message in messages]
