"""Keeps one output alive: starts its child, feeds it packets, restarts it, says how it is.

One failing output touches nothing else: the child is a process, its pipe is written without
waiting, and the packets come from a bounded subscription that drops to a keyframe by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, cast

from .base import Json, OutputReport, PacketSource
from .feed import PipeFeed

logger = logging.getLogger(__name__)

FIRST_BACK_OFF_SECONDS: Final = 0.5
MAX_BACK_OFF_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 30.0
# A child reports each second; ten without a word is a child that hangs.
SILENCE_SECONDS: Final = 10.0
START_SECONDS: Final = 30.0
# A platform that is not ready yet refuses like one that does not know the key.
MAX_REFUSALS: Final = 3
CLOSE_SECONDS: Final = 3.0
DRAIN_SECONDS: Final = 0.5
# A child that still starts on a busy machine is given longer, where all it was sent is wanted.
START_TO_CLOSE_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class OutputJob:
    """What to run. module: of the child. first_line: its job, secrets included.

    every_seconds: packets are collected for so long, for a child that is in no hurry.
    is_whole: what is on air while the child starts is for it too, however soon it is stopped.
    """

    id: str
    module: str
    first_line: Callable[[], Json]
    open_source: Callable[[], PacketSource]
    every_seconds: float = 0.0
    is_whole: bool = False


class OutputSupervisor:
    """One output from start to stop. `on_report` is called on the event loop at each change.

    on_line: other lines of the child (`file` of the recorder).
    """

    def __init__(
        self,
        job: OutputJob,
        *,
        on_report: Callable[[OutputReport], None],
        on_line: Callable[[Json], None] = lambda line: None,
    ) -> None:
        self._job = job
        self._on_report = on_report
        self._on_line = on_line
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._child: _Child | None = None
        self._told = ("stopped", "", 0)
        self._refusals = 0
        self._has_been_live = False
        self.report = OutputReport(job.id, "stopped")

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin (again); nothing happens when it already runs."""
        if not self.is_running:
            self._stopping = asyncio.Event()
            self._task = asyncio.create_task(self._run())

    async def stop(self, reason: str = "") -> None:
        """End the child politely, then by force; returns when it is gone."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        self._tell("stopped", reason)

    async def _run(self) -> None:
        back_off = FIRST_BACK_OFF_SECONDS
        while not self._stopping.is_set():
            self._tell("retrying" if self.report.reconnects else "connecting", self.report.reason)
            began = time.monotonic()
            ending = await self._run_child()
            if self._stopping.is_set() or not self._goes_on(ending):
                return
            if time.monotonic() - began > STEADY_SECONDS:
                back_off = FIRST_BACK_OFF_SECONDS
            self.report = replace(self.report, reconnects=self.report.reconnects + 1)
            self._tell("retrying", ending.get("message", ""))
            await self._sleep(back_off * random.uniform(0.5, 1.5))
            back_off = min(back_off * 2, MAX_BACK_OFF_SECONDS)

    def _goes_on(self, ending: Json) -> bool:
        """Whether to try again; says `failed` when not."""
        is_refused = ending.get("code") == "rejected"
        self._refusals = self._refusals + 1 if is_refused else 0
        # A key that has worked is not wrong: platforms refuse for a while after a cut.
        is_wrong = self._refusals >= MAX_REFUSALS and not self._has_been_live
        # In mid-show a name that cannot be resolved or a bad certificate is the network's trouble.
        may_mend = ending.get("retryable", True) or self._has_been_live
        if may_mend and not is_wrong and ending.get("code") != "disk_full":
            return True
        self._tell("failed", ending.get("message", "the output ended"))
        return False

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _run_child(self) -> Json:
        """One child from start to end; how it ended."""
        job = self._job
        source = job.open_source() if job.is_whole else None
        try:
            child = await _Child.spawn(job.module, job.first_line())
        except OSError as error:
            if source is not None:
                source.close()
            return {"message": f"the output process cannot start: {error.strerror}"}
        self._child = child
        if source is not None:
            child.feed(source, job.every_seconds)
        try:
            return await self._follow(child)
        finally:
            self._child = None
            is_starting = job.is_whole and self.report.state != "live"
            for line in await child.close(START_TO_CLOSE_SECONDS if is_starting else 0.0):
                if "file" in line:
                    self._on_line(line)

    async def _follow(self, child: _Child) -> Json:
        is_live = False
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while True:
                limit = SILENCE_SECONDS if is_live else START_SECONDS
                reading = asyncio.ensure_future(child.read_line())
                done, _ = await asyncio.wait(
                    {reading, stopping}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
                )
                if reading not in done:
                    reading.cancel()
                    return {} if done else {"message": "the output process hung"}
                line = reading.result()
                if line is None or line.get("state") in ("failed", "closed"):
                    return line or {"message": "the output process died"}
                if line.get("state") == "live":
                    is_live = True
                    self._has_been_live = True
                    if not self._job.is_whole:
                        child.feed(self._job.open_source(), self._job.every_seconds)
                    self._tell("live", "")
                elif "progress" in line:
                    self._measure(child, line["progress"])
                else:
                    self._on_line(line)
        finally:
            stopping.cancel()

    def _measure(self, child: _Child, progress: Json) -> None:
        kbps = child.bitrate_kbps(progress["bytes"])
        dropped = self.report.dropped + child.take_dropped()
        self.report = replace(self.report, bitrate_kbps=kbps, dropped=dropped)

    def _tell(self, state: str, reason: str) -> None:
        told = (state, reason, self.report.reconnects)
        if told == self._told:
            return
        self._told = told
        kbps = self.report.bitrate_kbps if state == "live" else 0
        self.report = replace(self.report, state=state, reason=reason, bitrate_kbps=kbps)
        self._on_report(self.report)


class _Child:
    """The process, the pipe to it and what fills the pipe."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: int) -> None:
        self._process = process
        self._pipe = pipe
        self._feed: PipeFeed | None = None
        self._counted = (time.monotonic(), 0)

    @classmethod
    async def spawn(cls, module: str, first_line: Json) -> _Child:
        """Start the child and hand it its job. Raises OSError."""
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module,
                stdin=read_end, stdout=asyncio.subprocess.PIPE, limit=1 << 18,
            )  # fmt: skip
            # The job is far below the 64 KiB a fresh pipe takes, so this cannot block.
            os.write(write_end, json.dumps(first_line).encode() + b"\n")
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        return cls(process, write_end)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def read_line(self) -> Json | None:
        """The next report, None when the child has ended."""
        assert self._process.stdout is not None
        try:
            raw = await self._process.stdout.readline()
            return cast(Json, json.loads(raw)) if raw else None
        except ValueError:
            return {"state": "failed", "message": "the output process wrote nonsense"}

    def feed(self, source: PacketSource, every_seconds: float) -> None:
        """Pass packets on from now on."""
        self._feed = PipeFeed(self._pipe, source, every_seconds=every_seconds)

    def bitrate_kbps(self, sent_bytes: int) -> int:
        """Mean bitrate since the last call."""
        now = time.monotonic()
        before, counted = self._counted
        self._counted = (now, sent_bytes)
        return round((sent_bytes - counted) * 8 / 1000 / max(now - before, 0.1))

    def take_dropped(self) -> int:
        """Packets dropped since the last call."""
        return self._feed.take_dropped() if self._feed else 0

    async def close(self, more_seconds: float) -> list[Json]:
        """End of file, three seconds and more to finish, then SIGKILL; what it still had to say."""
        until = time.monotonic() + CLOSE_SECONDS + more_seconds
        if self._feed is not None:
            self._feed.close()
            await self._feed.drain(DRAIN_SECONDS + more_seconds)
            self._feed.end()
        os.close(self._pipe)
        try:
            left = max(CLOSE_SECONDS, until - time.monotonic())
            await asyncio.wait_for(self._process.wait(), left)
        except TimeoutError:
            self._kill()
            await self._process.wait()
        lines = []
        while (line := await self.read_line()) is not None:
            lines.append(line)
        return lines

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
