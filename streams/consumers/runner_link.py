"""The web end of the runner link: authenticates, stores, passes on. Decides nothing by itself.

A database that is down never closes the socket: what needs it is logged and tried again, events
stay in the runner's outbox, and heartbeats are answered all the same.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from inference.protocol import (
    CLOSE_BAD_TOKEN,
    CLOSE_NOT_FOUND,
    CLOSE_STALE_RUNNER,
    PROTOCOL_VERSION,
    Acknowledge,
    Command,
    Events,
    Heartbeat,
    HeartbeatAcknowledged,
    Hello,
    Json,
    Live,
    Metrics,
    ProtocolError,
    Result,
    Signal,
    Thumbnail,
    WatchThumbnail,
    Welcome,
    decode,
    decode_message,
    encode_message,
)
from inference.tokens import RunClaim, RunTokenError, make_run_token, read_run_token
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger
from livestudio.common.parsers import has_half_a_character
from streams.poke import broadcast_group, runner_group
from streams.services import runner_link as service
from streams.services import whep
from streams.services.command_sending import CommandToSend, commands_to_send, note_sent
from streams.services.signalling import send_to_viewer
from streams.services.thumbnails import keep_thumbnail
from streams.socket_messages import MetricsChanged, json_text, to_json

log = get_logger(__name__)

HELLO_SECONDS: Final = 10.0
TICK_SECONDS: Final = 1.0
RESEND_COMMAND_SECONDS: Final = 3.0
# Credentials in the spec (of TURN servers) end after a week, the web may be down for days.
RENEW_SPEC_SECONDS: Final = 24 * 3600.0
# As long as a socket of a viewer may stay before its right is asked again.
VIEWERS_SECONDS: Final = 10.0
METRICS_PERIOD_SECONDS: Final = 0.18  # 5 Hz, with room for jitter
STORE_QUEUE: Final = 64  # overflow: dropped, and sent again by the runner
MAX_TEXT_CHARACTERS: Final = 8 * 1024 * 1024
CLOSE_TRY_AGAIN: Final = 1013


class RunnerLinkConsumer(AsyncWebsocketConsumer):
    """One runner's websocket."""

    claim: RunClaim | None = None
    is_welcome = False

    async def connect(self) -> None:
        await self.accept()
        try:
            self.claim = read_run_token(_bearer(self.scope))
        except RunTokenError:
            await self.close(CLOSE_BAD_TOKEN)
            return
        self.connection_id = secrets.token_hex(8)
        self.wake = asyncio.Event()
        self.to_store: asyncio.Queue[Events | Result] = asyncio.Queue(STORE_QUEUE)
        self.heartbeat: Heartbeat | None = None
        self.sent_at: dict[str, float] = {}
        self.metrics_at = 0.0
        self.spec_sent_at = time.monotonic()
        self.viewers_at = -math.inf
        self.gone: set[str] = set()
        self.tasks = [asyncio.create_task(self._expect_hello(), name="runner-hello")]

    async def disconnect(self, code: int) -> None:
        tasks = getattr(self, "tasks", [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.claim is not None and self.is_welcome:
            group = runner_group(self.claim.broadcast)
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.claim is None:
            return
        try:
            message = decode_message(_parsed(text_data))
        except ValueError as error:
            log.warning("runner message refused", reason=str(error), **self._ids())
            return
        if isinstance(message, Hello):
            await self._welcome(message)
        elif self.is_welcome:
            await self._take(message)

    # --- from the runner -------------------------------------------------------------------------

    async def _welcome(self, hello: Hello) -> None:
        """Hello → welcome, or the close code that says why not."""
        assert self.claim is not None
        is_ours = (hello.broadcast, hello.lease_epoch) == (
            self.claim.broadcast,
            self.claim.lease_epoch,
        )
        if not is_ours or hello.version != PROTOCOL_VERSION:
            await self.close(CLOSE_BAD_TOKEN if not is_ours else CLOSE_STALE_RUNNER)
            return
        try:
            spec, acknowledged = await database_sync_to_async(service.welcome_runner)(
                hello.broadcast, hello.lease_epoch, hello.pid
            )
        except (*service.NOT_WELCOME, DatabaseError) as error:
            await self.close(_CLOSE_CODES.get(type(error), CLOSE_TRY_AGAIN))
            return
        except DomainError as error:
            await self._give_up(error)
            return
        await self._join()
        await self._send(Welcome(spec, acknowledged))
        self._start()

    async def _give_up(self, error: DomainError) -> None:
        """The plan cannot be carried out by any runner: say so in the row, and send this one away.

        Not before the row says so: the control loop would launch the next one for the same end.
        """
        assert self.claim is not None
        log.warning("broadcast cannot go on", reason=error.message, **self._ids())
        code = CLOSE_STALE_RUNNER
        try:
            await database_sync_to_async(service.fail_broadcast)(
                self.claim.broadcast, self.claim.lease_epoch, error.message
            )
        except (*service.NOT_WELCOME, DatabaseError) as refusal:
            code = _CLOSE_CODES.get(type(refusal), CLOSE_TRY_AGAIN)
        await self.close(code)

    async def _join(self) -> None:
        assert self.claim is not None
        group = runner_group(self.claim.broadcast)
        newer = {"connection": self.connection_id, "lease_epoch": self.claim.lease_epoch}
        await self.channel_layer.group_send(group, {"type": "runner.superseded", **newer})
        await self.channel_layer.group_add(group, self.channel_name)

    def _start(self) -> None:
        if self.is_welcome:
            return
        self.is_welcome = True
        self.tasks[0].cancel()
        self.tasks += [
            asyncio.create_task(self._forever(self._store_next), name="runner-store"),
            asyncio.create_task(self._forever(self._tick), name="runner-tick"),
        ]

    async def _take(self, message: Any) -> None:
        match message:
            case Events() | Result():
                # When full it is dropped: what is not answered comes again.
                with contextlib.suppress(asyncio.QueueFull):
                    self.to_store.put_nowait(message)
            case Heartbeat(sent_at_ms=sent_at_ms):
                assert self.claim is not None
                # A show may be on air for longer than a token is valid.
                token = make_run_token(self.claim.broadcast, self.claim.lease_epoch)
                await self._send(HeartbeatAcknowledged(sent_at_ms, token))
                self.heartbeat = message
                self.wake.set()
            case Metrics():
                await self._tell_metrics(message)
            case Live(kind=kind, data=data):
                await self._tell([{"type": kind, **data}])
            case Thumbnail(jpeg=jpeg):
                await self._keep_thumbnail(jpeg)
            case Signal():
                await self._pass_on(message)

    async def _pass_on(self, signal: Signal) -> None:
        assert self.claim is not None
        if signal.kind == "error" and not signal.id:  # not an answer: the viewer is lost
            self.gone.add(signal.viewer)
        try:
            await send_to_viewer(self.claim.broadcast, signal)
        except DomainError as error:
            log.warning("signal refused", reason=error.message, **self._ids())

    async def _keep_thumbnail(self, jpeg: str) -> None:
        assert self.claim is not None
        with contextlib.suppress(ValueError):  # not base64: no picture
            picture = base64.b64decode(jpeg, validate=True)
            await database_sync_to_async(keep_thumbnail)(self.claim.broadcast, picture)

    async def _tell_metrics(self, message: Metrics) -> None:
        now = time.monotonic()
        if now - self.metrics_at >= METRICS_PERIOD_SECONDS:
            self.metrics_at = now
            await self._tell([to_json(MetricsChanged(message.metrics))])

    async def _tell(self, told: list[Json]) -> None:
        """To every console and viewer of this broadcast."""
        assert self.claim is not None
        if told:
            # As texts: hundreds of consoles take each apart and write it out again otherwise.
            texts = [[message["type"], json_text(message)] for message in told]
            await self.channel_layer.group_send(
                broadcast_group(self.claim.broadcast), {"type": "broadcast.told", "texts": texts}
            )

    # --- in the background -----------------------------------------------------------------------

    async def _expect_hello(self) -> None:
        await asyncio.sleep(HELLO_SECONDS)
        await self.close(CLOSE_BAD_TOKEN)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step; only a newer runner ends it."""
        while True:
            try:
                await step()
            except service.StaleLeaseError:
                await self.close(CLOSE_STALE_RUNNER)
                return
            except service.BroadcastGoneError:
                await self.close(CLOSE_NOT_FOUND)
                return
            except Exception:  # noqa: BLE001 - the edge: whatever fails, the socket stays
                log.warning("runner link step failed", exc_info=True, **self._ids())
                await asyncio.sleep(TICK_SECONDS)

    async def _store_next(self) -> None:
        message = await self.to_store.get()
        assert self.claim is not None
        if isinstance(message, Result):
            await database_sync_to_async(service.store_result)(self.claim.broadcast, message)
            return
        stored = await database_sync_to_async(service.store_events)(
            self.claim.broadcast, self.claim.lease_epoch, message.events
        )
        await self._send(Acknowledge(stored.acknowledged))
        await self._tell(stored.told)

    async def _tick(self) -> None:
        """Send what waits; renew the lease when a heartbeat came. On each poke and each second."""
        self.wake.clear()
        # An operator waits for the command; the lease lasts for five heartbeats.
        await self._send_commands()
        await self._renew()
        if time.monotonic() - self.spec_sent_at > RENEW_SPEC_SECONDS:
            await self._renew_spec()
        if time.monotonic() - self.viewers_at > VIEWERS_SECONDS:
            await self._look_at_viewers()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await self.wake.wait()

    async def _renew(self) -> None:
        assert self.claim is not None
        heartbeat, self.heartbeat = self.heartbeat, None
        if heartbeat is not None:
            told = await database_sync_to_async(service.renew_lease)(
                self.claim.broadcast, self.claim.lease_epoch, heartbeat
            )
            await self._tell(told)

    async def _renew_spec(self) -> None:
        assert self.claim is not None
        # First: one that fails is tried again the next day, not every second.
        self.spec_sent_at = time.monotonic()
        spec, acknowledged = await database_sync_to_async(service.renew_spec)(
            self.claim.broadcast, self.claim.lease_epoch
        )
        await self._send(Welcome(spec, acknowledged))

    async def _look_at_viewers(self) -> None:
        """Send away who may not watch any more; forget them, and those who went, one look later.

        A bye that is lost with this link is said again by the next one, which finds the row.
        """
        assert self.claim is not None
        self.viewers_at = time.monotonic()
        unwelcome = await database_sync_to_async(whep.unwelcome)(self.claim.broadcast)
        for viewer in unwelcome:
            await self._send(Signal(viewer, "", "bye", {}))
        gone, self.gone = self.gone, unwelcome
        if gone:
            await database_sync_to_async(whep.forget)(self.claim.broadcast, gone)

    async def _send_commands(self) -> None:
        assert self.claim is not None
        waiting = await database_sync_to_async(commands_to_send)(
            self.claim.broadcast, self._sent_lately()
        )
        for command in waiting:
            await self._send_command(command)
        ids = {command.id for command in waiting}
        self.sent_at = {key: at for key, at in self.sent_at.items() if key in ids or _is_new(at)}

    async def _send_command(self, command: CommandToSend) -> None:
        await self._send(Command(command.id, command.name, command.args))
        self.sent_at[command.id] = time.monotonic()
        if command.is_first:
            await database_sync_to_async(note_sent)(command.id)

    def _sent_lately(self) -> set[str]:
        return {key for key, at in self.sent_at.items() if _is_new(at)}

    # --- from the channel layer ------------------------------------------------------------------

    async def runner_poke(self, event: Json) -> None:
        """A command row was written."""
        self.wake.set()

    async def runner_thumbnail(self, event: Json) -> None:
        """Somebody looks."""
        await self._send(WatchThumbnail(float(event["seconds"])))

    async def runner_signal(self, event: Json) -> None:
        """A viewer's offer, candidate or bye."""
        await self._send(decode(Signal, event["signal"]))

    async def runner_viewers(self, event: Json) -> None:
        """Who may watch has changed."""
        self.viewers_at = -math.inf
        self.wake.set()

    async def runner_superseded(self, event: Json) -> None:
        """The same runner dialled again, or a newer one did."""
        assert self.claim is not None
        if event["connection"] == self.connection_id:
            return
        if event["lease_epoch"] >= self.claim.lease_epoch:
            is_newer = event["lease_epoch"] > self.claim.lease_epoch
            await self.close(CLOSE_STALE_RUNNER if is_newer else CLOSE_TRY_AGAIN)

    # --- small things ----------------------------------------------------------------------------

    async def _send(self, message: Any) -> None:
        await self.send(text_data=json_text(encode_message(message)))

    def _ids(self) -> dict[str, Any]:
        assert self.claim is not None
        return {"broadcast_id": self.claim.broadcast, "lease_epoch": self.claim.lease_epoch}


_CLOSE_CODES: Final[dict[type[Exception], int]] = {
    service.StaleLeaseError: CLOSE_STALE_RUNNER,
    service.BroadcastGoneError: CLOSE_NOT_FOUND,
}


def _bearer(scope: Any) -> str:
    headers = dict(scope["headers"])
    return str(headers.get(b"authorization", b"").decode("latin-1")).removeprefix("Bearer ")


def _parsed(text: str | None) -> Any:
    if text is None:
        raise ProtocolError("binary frames are not used on this link")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ProtocolError("message too long")
    raw = json.loads(text)
    if "\\u" in text and has_half_a_character(raw):
        raise ProtocolError("half of a character, which no broker passes on")
    return raw


def _is_new(at: float) -> bool:
    return time.monotonic() - at < RESEND_COMMAND_SECONDS
