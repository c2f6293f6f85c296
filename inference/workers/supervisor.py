"""Keeps one worker process alive and passes messages: what can hang or crash lives behind it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

from inference.workers.wire import Json, WireError, pack, read_message_async

logger = logging.getLogger(__name__)

READY_SECONDS: Final = 30.0
FIRST_BACK_OFF_SECONDS: Final = 0.1
MAX_BACK_OFF_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0
# A worker that answers none of four pings in a row hangs: it is found out after 3 to 4 s.
PING_SECONDS: Final = 0.75
UNANSWERED_PINGS: Final = 4
# More waiting bytes than this means the worker has stopped reading.
MAX_UNREAD_BYTES: Final = 8 * 1024 * 1024

# What a worker may see of the runner's environment: nothing secret is ever in it.
ENVIRONMENT_NAMES: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR",
)  # fmt: skip


class WorkerProcess:
    """One worker, restarted with back-off until `close`.

    on_message(header, payload): each message but the first `ready`. on_started(): the worker is
    ready; resend what it must know. on_state(state, pid, reason): started | died | ended; pid 0 =
    none could be started. All on the loop.
    answers_pings: it answers each `ping` with `pong` at once, however busy it is.
    """

    def __init__(
        self,
        kind: str,
        module: str,
        *,
        on_message: Callable[[Json, bytes], None],
        on_started: Callable[[], None],
        on_state: Callable[[str, int, str], None],
        environment: dict[str, str] | None = None,
        first_message: Callable[[], Json] | None = None,
        answers_pings: bool = False,
    ) -> None:
        self.kind = kind
        self._module = module
        self._on_message = on_message
        self._on_started = on_started
        self._on_state = on_state
        self._environment = environment or {}
        self._first_message = first_message
        self._answers_pings = answers_pings
        self._unanswered = 0
        self._process: asyncio.subprocess.Process | None = None
        self._closing = asyncio.Event()
        self._is_ready = False
        self._has_hung = False
        self._killed_for = ""
        self._told = ""  # why no process could be started

    @property
    def has_hung(self) -> bool:
        """Whether the process before this one was ended because it answered no pings."""
        return self._has_hung

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_ready(self) -> bool:
        return self._is_ready

    @property
    def unread_bytes(self) -> int:
        """What was handed over and has not left for the worker yet."""
        if self._process is None or self._process.stdin is None:
            return 0
        return self._process.stdin.transport.get_write_buffer_size()

    async def run(self) -> None:
        """Keep it alive until `close`; a task of the session."""
        back_off = FIRST_BACK_OFF_SECONDS
        closing = asyncio.create_task(self._closing.wait())
        while not self._closing.is_set():
            began = time.monotonic()
            reason = await self._live()
            if time.monotonic() - began > MAX_BACK_OFF_SECONDS:
                back_off = FIRST_BACK_OFF_SECONDS
            logger.info("worker ended", extra={"worker": self.kind, "reason": reason})
            await asyncio.wait({closing}, timeout=back_off)
            back_off = min(back_off * 2, MAX_BACK_OFF_SECONDS)

    def send(self, header: Json, payload: bytes = b"") -> bool:
        """Hand a message over; False when no worker is ready (it is told all again when it is)."""
        if not self._is_ready or self._process is None or self._process.stdin is None:
            return False
        if self.unread_bytes > MAX_UNREAD_BYTES:
            self.kill("it stopped reading")
            return False
        self._process.stdin.write(pack(header, payload))
        return True

    def kill(self, reason: str) -> None:
        """End a worker that hangs; `run` starts the next one."""
        if self._process is not None and self._process.returncode is None:
            self._killed_for = reason
            logger.warning("worker killed", extra={"worker": self.kind, "reason": reason})
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        """End of file, two seconds, SIGKILL."""
        self._closing.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self.kill("it did not end")
            await process.wait()

    async def _live(self) -> str:
        """One process from start to end; why it ended."""
        try:
            self._process = await self._spawn()
        except OSError as error:
            return self._not_started(f"cannot start: {error.strerror or error}")
        if self._closing.is_set():
            # It was being started while `close` looked for one to end.
            self.kill("nobody needs it any more")
        self._told = ""
        pinging = asyncio.create_task(self._ping())
        try:
            reason = await self._read_all(self._process)
        except (WireError, TimeoutError) as error:
            self.kill(str(error) or "it did not get ready")
            reason = str(error) or "not ready in time"
        finally:
            pinging.cancel()
        self._is_ready = False
        code = await self._process.wait()
        self._has_hung = self._unanswered >= UNANSWERED_PINGS
        reason = reason or self._killed_for or f"exit status {code}"
        self._killed_for = ""
        state = "ended" if self._closing.is_set() else "died"
        self._on_state(state, self._process.pid, reason)
        return reason

    def _not_started(self, reason: str) -> str:
        """Tell it, but not again at each try."""
        if reason != self._told:
            self._told = reason
            self._on_state("died", 0, reason)
        return reason

    async def _ping(self) -> None:
        """Ask for a sign of life until there is none. Pings are counted, not seconds: a core that
        stood still itself has sent none, and blames nobody for it."""
        self._unanswered = 0
        while self._answers_pings:
            await asyncio.sleep(PING_SECONDS)
            if self._unanswered >= UNANSWERED_PINGS:
                self.kill("it answers no pings")
                return
            self._unanswered += self.send({"type": "ping"})

    async def _spawn(self) -> asyncio.subprocess.Process:
        first = pack(self._first_message()) if self._first_message is not None else b""
        environment = {name: os.environ[name] for name in ENVIRONMENT_NAMES if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=environment | self._environment, limit=1 << 20,
        )  # fmt: skip
        if process.stdin is not None:
            process.stdin.write(first)
        return process

    async def _read_all(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        # Until it is ready each message has to come in time; one that loads long says so.
        while message := await asyncio.wait_for(
            read_message_async(process.stdout), None if self._is_ready else READY_SECONDS
        ):
            header, payload = message
            if not self._is_ready and header["type"] == "failed":
                # A worker that cannot do its work is of no use alive; the next may find it mended.
                raise WireError(str(header.get("message", "it cannot start")))
            self._pass_on(process, header, payload)
        return ""

    def _pass_on(self, process: asyncio.subprocess.Process, header: Json, payload: bytes) -> None:
        try:
            if header["type"] == "ready":
                self._is_ready = True
                self._on_state("started", process.pid, "")
                self._on_started()
            elif header["type"] == "pong":
                self._unanswered = 0
            else:
                self._on_message(header, payload)
        except Exception:
            # The edge of one message: what follows from it must not take the show off air.
            logger.exception("a worker's message could not be handled")
