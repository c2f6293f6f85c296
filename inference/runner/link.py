"""The runner's websocket to the web side: dials home, for ever, and carries four kinds of message.

Commands come in and run at most once; signalling is request and response; events leave from the
outbox until they are acknowledged; metrics, captions and thumbnails are newest-wins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp

from inference.protocol import (
    HEARTBEAT_SECONDS,
    PROTOCOL_VERSION,
    Acknowledge,
    Command,
    Events,
    Heartbeat,
    HeartbeatAcknowledged,
    Hello,
    Json,
    ProtocolError,
    Result,
    RunnerSpec,
    Signal,
    WatchThumbnail,
    Welcome,
)
from inference.runner.clocks import boot_time_ms
from inference.runner.dial import (
    DIAL_ERRORS,
    Delays,
    LinkUnreachableError,
    StaleRunnerError,
    TokenRefusedError,
    log_lost,
    read_frame,
    websocket_url,
    write_text,
)
from inference.runner.journal import CommandJournal
from inference.runner.link_handlers import CommandRefused, LinkHandlers
from inference.runner.outbox import Outbox
from inference.runner.outgoing import Outgoing

__all__ = [
    "CommandRefused",
    "LinkHandlers",
    "LinkUnreachableError",
    "RunnerLink",
    "StaleRunnerError",
]

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 10.0  # without a word from the web side the socket counts as dead
SEND_SECONDS: Final = 10.0
SETTLED_SECONDS: Final = 5.0  # a link that lived this long dials again without back-off
RESEND_EVENTS_SECONDS: Final = 5.0
COMMAND_QUEUE: Final = 64  # overflow: answered with `busy`
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class _Connection:
    """One open websocket. sent_sequence: last event sent on it, waiting for its acknowledgement."""

    socket: aiohttp.ClientWebSocketResponse
    sent_sequence: int = 0
    sent_at: float = 0.0
    next_heartbeat_at: float = 0.0


class RunnerLink:
    """The link of one broadcast. `url` is the base address of the web side (http or https)."""

    def __init__(
        self,
        url: str,
        broadcast: str,
        lease_epoch: int,
        token: str,
        outbox: Outbox,
        *,
        journal: CommandJournal,
    ) -> None:
        self._url = websocket_url(url)
        self._broadcast = broadcast
        self._lease_epoch = lease_epoch
        self._token = token
        self._outbox = outbox
        self._journal = journal
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._is_sending = False
        self._loop = asyncio.get_running_loop()
        self._outgoing = Outgoing(self._wake_threadsafe)
        self._commands: asyncio.Queue[Command] = asyncio.Queue(COMMAND_QUEUE)
        self._http: aiohttp.ClientSession | None = None
        self._connection: _Connection | None = None
        self._handlers: LinkHandlers | None = None
        self._signal_tasks: set[asyncio.Task[None]] = set()
        self.reconnects = 0

    # --- what the session calls ------------------------------------------------------------------

    async def connect_first(self, *, give_up_seconds: float = 120.0) -> RunnerSpec:
        """Dial until the web side answers with the spec.

        Raises StaleRunnerError (exit quietly) or LinkUnreachableError.
        """
        delays = Delays()
        try:
            async with asyncio.timeout(give_up_seconds):
                while True:
                    try:
                        return (await self._open()).spec
                    except DIAL_ERRORS as error:
                        log_lost(self._broadcast, error)
                    await asyncio.sleep(delays.next())
        except TimeoutError as error:
            await self.close()
            raise LinkUnreachableError("the web side did not answer") from error
        except StaleRunnerError:
            await self.close()
            raise

    async def run(self, handlers: LinkHandlers) -> None:
        """Keep the link up until cancelled or stale. Run it in the session's task group."""
        self._handlers = handlers
        self._outbox.notify(self._wake_threadsafe)
        executor = asyncio.create_task(self._execute_commands(), name="link-commands")
        try:
            await self._stay_connected(handlers)
        finally:
            self._outbox.notify(None)
            executor.cancel()
            await asyncio.gather(executor, *self._signal_tasks, return_exceptions=True)
            await self.close()

    def emit(self, kind: str, data: Json) -> int | None:
        """Append an event; from any thread. None when it was dropped at the outbox's cap."""
        return self._outbox.append(kind, data)

    def publish_metrics(self, metrics: Json) -> None:
        """Newest wins, at most 5 a second reach the web side; from any thread."""
        self._outgoing.set_metrics(metrics)

    def publish_live(self, kind: Literal["caption", "viseme"], data: Json) -> None:
        """What viewers' pages follow; the oldest of a kind is dropped when full; any thread."""
        self._outgoing.add_live(kind, data)

    def publish_thumbnail(self, jpeg: bytes) -> None:
        """Newest wins; larger than 20 kB is not sent; from any thread."""
        self._outgoing.set_thumbnail(jpeg)

    def send_signal(self, signal: Signal) -> None:
        """Answer or tell a viewer; lost when the link is down: signalling has no replay."""
        if self._connection is not None:
            self._outgoing.add_signal(signal)

    @property
    def is_connected(self) -> bool:
        """True while a welcomed websocket is open."""
        return self._connection is not None

    @property
    def dropped(self) -> Json:
        """Drop counters: events at the cap, live messages, signals."""
        return {"events": self._outbox.dropped, **self._outgoing.dropped}

    async def drain(self, timeout_seconds: float) -> bool:
        """Wait until every event is acknowledged and every result sent; False at the deadline."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._is_settled:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    @property
    def _is_settled(self) -> bool:
        return self._outbox.is_empty and self._outgoing.is_quiet and not self._is_sending

    async def close(self) -> None:
        """Close the websocket and the client."""
        connection, self._connection = self._connection, None
        http, self._http = self._http, None
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                if connection is not None:
                    await connection.socket.close()
        if http is not None:
            await http.close()

    # --- connecting ------------------------------------------------------------------------------

    async def _stay_connected(self, handlers: LinkHandlers) -> None:
        delays = Delays()
        while True:
            started_at = self._loop.time()
            try:
                if self._connection is None:
                    self._renew_spec((await self._open()).spec)
                await self._serve()
            except TokenRefusedError as error:
                # Once welcomed, only a newer lease ends a show: a refused token is web's trouble.
                log_lost(self._broadcast, error)
            except StaleRunnerError as error:
                handlers.on_stale(str(error))
                return
            except DIAL_ERRORS as error:
                log_lost(self._broadcast, error)
            except Exception:
                # The edge of one connection: the show goes on, and the next one may do better.
                logger.exception("the link broke", extra={"broadcast_id": self._broadcast})
            if self._loop.time() - started_at > SETTLED_SECONDS:
                delays = Delays()
            await self._drop_connection()
            self.reconnects += 1
            await asyncio.sleep(delays.next())

    async def _open(self) -> Welcome:
        """One dial: hello, welcome. Raises one of DIAL_ERRORS or StaleRunnerError."""
        self._http = self._http or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, connect=HANDSHAKE_SECONDS)
        )
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            socket = await self._http.ws_connect(
                self._url,
                headers={"Authorization": f"Bearer {self._token}"},
                max_msg_size=MAX_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
            try:
                welcome = await self._shake_hands(socket)
            except BaseException:
                await socket.close()
                raise
        self._token = welcome.spec.token
        self._outbox.start_after(welcome.acknowledged)
        self._connection = _Connection(socket)
        return welcome

    async def _shake_hands(self, socket: aiohttp.ClientWebSocketResponse) -> Welcome:
        hello = Hello(self._broadcast, self._lease_epoch, PROTOCOL_VERSION, os.getpid())
        await socket.send_str(write_text(hello))
        while True:
            message = read_frame(await socket.receive(), socket)
            if isinstance(message, Welcome):
                return message

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._outgoing.forget_signals()
        if connection is not None:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await connection.socket.close()

    async def _serve(self) -> None:
        """Read and write until either fails."""
        connection = self._connection
        assert connection is not None
        reader = asyncio.create_task(self._read_messages(connection), name="link-read")
        writer = asyncio.create_task(self._write_messages(connection), name="link-write")
        self._wake.set()
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    # --- receiving -------------------------------------------------------------------------------

    async def _read_messages(self, connection: _Connection) -> None:
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                raw = await connection.socket.receive()
            try:
                self._receive(read_frame(raw, connection.socket), connection)
            except ProtocolError as error:
                logger.warning(
                    "message not understood",
                    extra={"broadcast_id": self._broadcast, "reason": str(error)},
                )

    def _receive(self, message: Any, connection: _Connection) -> None:
        match message:
            case Acknowledge(sequence=sequence):
                self._outbox.acknowledge(sequence)
                self._wake.set()
                self._progress.set()
            case HeartbeatAcknowledged(token=token):
                self._token = token or self._token
            case Command():
                self._take_command(message)
            case Signal():
                self._start_signal(message)
            case WatchThumbnail(seconds=seconds) if self._handlers is not None:
                self._handlers.on_thumbnail_wanted(seconds)
            case Welcome():
                self._token = message.spec.token
                self._renew_spec(message.spec)

    def _renew_spec(self, spec: RunnerSpec) -> None:
        assert self._handlers is not None
        try:
            self._handlers.on_spec(spec)
        except Exception:  # noqa: BLE001 - the edge: the show goes on by the spec it has
            logger.exception("spec not renewed", extra={"broadcast_id": self._broadcast})

    def _take_command(self, command: Command) -> None:
        """Queue a new command; for one seen before only the answer is sent again."""
        if self._journal.has(command.id):
            result = self._journal.result(command.id)
            if result is not None:
                self._outgoing.add_result(result)
            return
        if self._commands.full():
            busy = {"code": "busy", "message": "Too many commands at once; try again."}
            self._outgoing.add_result(Result(command.id, ok=False, error=busy))
            return
        self._journal.begin(command.id)
        self._commands.put_nowait(command)

    async def _execute_commands(self) -> None:
        while True:
            command = await self._commands.get()
            result = await self._execute(command)
            self._journal.finish(result)
            self._outgoing.add_result(result)

    async def _execute(self, command: Command) -> Result:
        assert self._handlers is not None
        try:
            data = await self._handlers.on_command(command)
        except CommandRefused as error:
            refusal = {"code": error.code, "message": error.message}
            return Result(command.id, ok=False, error=refusal)
        except ProtocolError as error:
            return Result(command.id, ok=False, error={"code": "invalid", "message": str(error)})
        except Exception:  # noqa: BLE001 - the edge: one command's fault must not end the show
            logger.exception("command failed", extra={"broadcast_id": self._broadcast})
            fault = {"code": "internal_error", "message": "The runner could not carry this out."}
            return Result(command.id, ok=False, error=fault)
        return Result(command.id, ok=True, data=data)

    def _start_signal(self, signal: Signal) -> None:
        assert self._handlers is not None
        task = asyncio.create_task(self._signal(signal), name="link-signal")
        self._signal_tasks.add(task)
        task.add_done_callback(self._signal_tasks.discard)

    async def _signal(self, signal: Signal) -> None:
        assert self._handlers is not None
        try:
            await self._handlers.on_signal(signal)
        except Exception:  # noqa: BLE001 - the edge: one viewer's fault is that viewer's
            logger.exception("signal failed", extra={"broadcast_id": self._broadcast})
            fault = {"code": "signalling_failed", "message": "The runner could not answer."}
            self.send_signal(Signal(signal.viewer, signal.id, "error", fault))

    # --- sending ---------------------------------------------------------------------------------

    async def _write_messages(self, connection: _Connection) -> None:
        while True:
            self._wake.clear()
            self._is_sending = True
            for message in self._next_messages(connection):
                async with asyncio.timeout(SEND_SECONDS):
                    await connection.socket.send_str(write_text(message))
            self._is_sending = False
            self._progress.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds(connection)):
                    await self._wake.wait()

    def _next_messages(self, connection: _Connection) -> list[Any]:
        now = self._loop.time()
        messages = self._outgoing.take(now)
        events = self._events_to_send(connection, now)
        if events is not None:
            messages.append(events)
        if now >= connection.next_heartbeat_at:
            connection.next_heartbeat_at = now + HEARTBEAT_SECONDS
            messages.append(self._heartbeat())
        return messages

    def _events_to_send(self, connection: _Connection, now: float) -> Events | None:
        """The next batch; one is on its way at a time, repeated if its answer never comes."""
        in_flight = connection.sent_sequence > self._outbox.acknowledged
        if in_flight and now - connection.sent_at < RESEND_EVENTS_SECONDS:
            return None
        batch = () if self._outbox.is_empty else self._outbox.waiting()
        if not batch:
            return None
        connection.sent_sequence, connection.sent_at = batch[-1].sequence, now
        return Events(batch)

    def _heartbeat(self) -> Heartbeat:
        assert self._handlers is not None
        return Heartbeat(self._handlers.metrics(), boot_time_ms(), self._handlers.workers())

    def _pause_seconds(self, connection: _Connection) -> float:
        now = self._loop.time()
        pauses = [connection.next_heartbeat_at - now, self._outgoing.pause_seconds(now)]
        return max(0.0, min(pauses))

    def _wake_threadsafe(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nothing is sent any more
            self._loop.call_soon_threadsafe(self._wake.set)
