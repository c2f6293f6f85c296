"""The web side of the runner link without a web framework's database: for tests of the runner."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from inference.protocol import (
    Acknowledge,
    AvatarSpec,
    Command,
    CueSpec,
    Cursor,
    Event,
    Events,
    Heartbeat,
    HeartbeatAcknowledged,
    Hello,
    Json,
    Live,
    Metrics,
    RenditionSpec,
    Result,
    RunnerSpec,
    VoiceSpec,
    Welcome,
    decode,
    decode_message,
    encode_message,
)
from tests.steady import note_gap, noting_gaps


def make_spec(folder: Path, texts: tuple[str, ...], **changes: Any) -> RunnerSpec:
    """A small broadcast: 320x180 at 25 fps, built-in presenter and voice, one cue per text."""
    spec = RunnerSpec(
        broadcast=str(uuid.uuid4()),
        lease_epoch=1,
        token="test",
        title="",
        language="zh-CN",
        renditions=(RenditionSpec("main", 320, 180, 1920, 600),),
        avatar=AvatarSpec("a1", "puppet", {"character": "lin"}),
        voices=(VoiceSpec("v1", "espeak", "zh-CN", {"gender": "female"}),),
        cues=tuple(CueSpec(f"c{i}", "speech", text) for i, text in enumerate(texts, 1)),
        run_folder=str(folder / "run"),
        recordings_folder=str(folder / "recordings"),
        cache_folder=str(folder / "cache"),
        egress_allow=("loopback",),
        test_engines=True,
    )
    return replace(spec, **changes)


@dataclass
class WebSide:
    """Accepts one runner at a time, stores its events once, sends commands."""

    spec: RunnerSpec
    url: str = ""
    events: list[Event] = field(default_factory=list)
    live: list[Live] = field(default_factory=list)
    metrics: Json = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    workers: tuple[Json, ...] = ()
    hellos: list[Hello] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    socket: web.WebSocketResponse | None = None

    @property
    def acknowledged(self) -> int:
        return self.events[-1].sequence if self.events else 0

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 24)
        await socket.prepare(request)
        self.socket = socket
        async for raw in socket:
            message = decode_message(json.loads(raw.data))
            async with self.changed:
                for answer in self._answers(message):
                    await socket.send_str(json.dumps(encode_message(answer)))
                self.changed.notify_all()
        return socket

    def _answers(self, message: Any) -> list[Any]:
        match message:
            case Hello():
                self.hellos.append(message)
                return [Welcome(self._spec_now(), self.acknowledged)]
            case Events(events):
                fresh = [event for event in events if event.sequence > self.acknowledged]
                for event in fresh:
                    if event.kind == "clock.rebased":
                        note_gap(event.data["gap_ms"])
                self.events += fresh
                return [Acknowledge(self.acknowledged)]
            case Heartbeat():
                self.metrics, self.workers = message.metrics, message.workers
                return [HeartbeatAcknowledged(message.sent_at_ms)]
            case Metrics(metrics):
                self.metrics = metrics
            case Live():
                self.live.append(message)
            case Result():
                self.results[message.id] = message
        return []

    def _spec_now(self) -> RunnerSpec:
        """The spec with the cursor that was told last, as the platform builds it."""
        cursors = self.of_kind("cursor")
        return replace(self.spec, cursor=decode(Cursor, cursors[-1])) if cursors else self.spec

    async def command(self, verb: str, /, **args: Any) -> Result:
        """Send a command and wait for its result."""
        command = Command(str(uuid.uuid4()), verb, args)
        assert self.socket is not None
        await self.socket.send_str(json.dumps(encode_message(command)))
        await self.until(lambda: command.id in self.results)
        return self.results[command.id]

    async def until(self, check: Callable[[], Any], seconds: float = 60) -> None:
        """Wait until a check holds; it is looked at after each message."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(check)

    def of_kind(self, kind: str) -> list[Json]:
        return [event.data for event in self.events if event.kind == kind]

    @property
    def skipped(self) -> int:
        """Pictures that the runner skipped because the machine was late; known at its end."""
        states = self.of_kind("broadcast.state")
        return sum(data["summary"]["dropped"] for data in states if data["state"] == "ended")

    def utterances(self, state: str) -> list[Json]:
        return [data for data in self.of_kind("utterance") if data["state"] == state]

    def has(self, event: str, /, **values: Any) -> bool:
        """Whether an event of this kind has these values."""
        return any(
            all(data.get(name) == value for name, value in values.items())
            for data in self.of_kind(event)
        )


@contextlib.asynccontextmanager
async def web_side(spec: RunnerSpec) -> AsyncIterator[WebSide]:
    """A web side on a free port."""
    side = WebSide(spec)
    app = web.Application()
    app.router.add_get("/ws/v1/runner/", side.connect)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    side.url = f"http://{host}:{port}"
    try:
        async with noting_gaps():
            yield side
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def running(
    side: WebSide, *, life_fd: int | None = None, prefix: tuple[str, ...] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real runner process for the web side's spec; killed at the end if it still runs.

    prefix: words before its command.
    """
    life = ["--life-fd", str(life_fd)] if life_fd is not None else []
    process = await asyncio.create_subprocess_exec(
        *prefix, sys.executable, "-m", "inference.runner", *life,
        stdin=asyncio.subprocess.PIPE,
        pass_fds=() if life_fd is None else (life_fd,),
    )  # fmt: skip
    document = {
        "broadcast": side.spec.broadcast,
        "lease_epoch": side.spec.lease_epoch,
        "token": side.spec.token,
        "web_url": side.url,
        "run_folder": side.spec.run_folder,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(document).encode() + b"\n")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
