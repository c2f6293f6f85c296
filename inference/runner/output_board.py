"""All outputs and the recording of a broadcast: added, started, stopped, reported."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final, Literal

from inference.media.packets import EncodedPacket
from inference.outputs.base import Json, OutputReport, headers_to_json
from inference.outputs.supervisor import OutputJob, OutputSupervisor
from inference.protocol import OutputSpec, RunnerSpec
from inference.runner.core import MediaCore
from inference.runner.fanout import Subscription

Desired = Literal["live", "waiting_for_key", "stopped"]

# More would put old speech on air behind an interrupt when the network is slow.
PUSH_SECONDS: Final = 1.5
RECORD_SECONDS: Final = 10.0
# Nobody waits for a file: its child is woken four times a second instead of seventy.
RECORD_EVERY_SECONDS: Final = 0.25
_RECORDING: Final = "recording"


class UnknownOutputError(LookupError):
    """There is no such output in this broadcast."""


class HubSource:
    """A hub subscription as outputs read it."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    @property
    def dropped(self) -> int:
        return self._subscription.stats.dropped

    def listen(self, on_packet: Callable[[EncodedPacket | None], None]) -> None:
        self._subscription.listen(on_packet)

    def take(self) -> EncodedPacket | None:
        return self._subscription.take()

    def close(self) -> None:
        self._subscription.close()


class OutputBoard:
    """The outputs on air. emit(kind, data): an event.

    Commands only say what is wanted; `_reconcile` brings one output there, one step at a time.
    """

    def __init__(self, spec: RunnerSpec, core: MediaCore, emit: Callable[[str, Json], Any]) -> None:
        self._spec = spec
        self._core = core
        self._emit = emit
        self._wanted: dict[str, OutputSpec] = {}
        self._running: dict[str, tuple[OutputSupervisor, OutputSpec]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._files: dict[str, tuple[str, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def open(self) -> None:
        """Start what the spec wants on air."""
        for output in self._spec.outputs:
            self.add(output)
        if self._spec.record:
            self.set_recording(on=True)

    def follow(self, spec: RunnerSpec) -> None:
        """Bring about what a newer spec wants; what it has not changed is left alone."""
        for output in spec.outputs:
            if self._wanted.get(output.id) != output:
                self._want(output)
        recording = self._wanted.get(_RECORDING)
        if spec.record != (recording is not None and recording.desired == "live"):
            self.set_recording(on=spec.record)

    def add(self, output: OutputSpec) -> None:
        """Add an output on air; the same id again replaces its settings."""
        self._want(output)

    def start(self, output_id: str) -> None:
        """Start a stopped or failed output. Raises UnknownOutputError."""
        output = self._require(output_id)
        if output.desired == "stopped":
            output = replace(output, desired="live")
        self._want(output)

    def stop(self, output_id: str) -> None:
        """Stop one output; the others do not notice. Raises UnknownOutputError."""
        self._want(replace(self._require(output_id), desired="stopped"))

    def replace_key(self, output_id: str, stream_key: str) -> None:
        """Go live (again) with a new key; what was stopped stays stopped. UnknownOutputError."""
        output = self._require(output_id)
        desired: Desired = "stopped" if output.desired == "stopped" else "live"
        self._want(replace(output, stream_key=stream_key, desired=desired))

    def set_recording(self, *, on: bool) -> None:
        """Record from now on, or stop recording."""
        name = self._spec.broadcast
        desired: Desired = "live" if on else "stopped"
        self._want(OutputSpec(_RECORDING, "record", "file", name, desired=desired))

    async def close(self) -> None:
        """End everything, in parallel."""
        self._is_closed = True
        for output_id, output in self._wanted.items():
            self._wanted[output_id] = replace(output, desired="stopped")
        await asyncio.gather(
            *(self._reconcile(output_id) for output_id in self._wanted),
            *self._tasks,
            return_exceptions=True,
        )

    def _want(self, output: OutputSpec) -> None:
        """A child takes seconds to end; the operator's next command must not wait for it."""
        if self._is_closed:
            return  # the link carries commands until the end; a child would outlive its stop
        self._wanted[output.id] = output
        task = asyncio.create_task(self._reconcile(output.id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reconcile(self, output_id: str) -> None:
        async with self._locks.setdefault(output_id, asyncio.Lock()):
            wanted = self._wanted[output_id]
            supervisor, spec = self._running.get(output_id, (None, None))
            if supervisor and supervisor.is_running and spec == wanted:
                return
            report = OutputReport(output_id, "stopped")
            if supervisor:
                del self._running[output_id]
                await supervisor.stop()
                report = supervisor.report
                self._close_files(output_id)
            wanted = self._wanted[output_id]
            if wanted.desired == "live":
                self._start(wanted)
            elif output_id != _RECORDING:
                reason = "the broadcast has ended" if self._is_closed else ""
                self._emit("output", _numbers(replace(report, state=wanted.desired, reason=reason)))

    def metrics(self) -> list[Json]:
        """The newest numbers of each output."""
        return [
            _numbers(supervisor.report)
            for output_id, (supervisor, _) in self._running.items()
            if output_id != _RECORDING
        ]

    def workers(self) -> list[Json]:
        """The processes behind the outputs."""
        return [
            {
                "kind": "pusher" if spec.kind == "rtmp" else "recorder",
                "pid": supervisor.pid,
                "output": output_id,
            }
            for output_id, (supervisor, spec) in self._running.items()
            if supervisor.pid
        ]

    def _require(self, output_id: str) -> OutputSpec:
        output = self._wanted.get(output_id)
        if output is None:
            raise UnknownOutputError("this output is not part of the broadcast")
        return output

    def _start(self, output: OutputSpec) -> None:
        is_push = output.kind == "rtmp"
        seconds = PUSH_SECONDS if is_push else RECORD_SECONDS
        supervisor = OutputSupervisor(
            OutputJob(
                output.id,
                "inference.outputs.pusher" if is_push else "inference.outputs.recorder",
                lambda: self._first_line(output),
                lambda: self._source(output.name, output.rendition, seconds),
                0.0 if is_push else RECORD_EVERY_SECONDS,
                is_whole=not is_push,
            ),
            on_report=lambda report: self._report(supervisor, report),
            on_line=lambda line: self._recording_line(output.id, line),
        )
        self._running[output.id] = (supervisor, output)
        supervisor.start()

    def _first_line(self, output: OutputSpec) -> Json:
        if output.kind == "file":
            return self._recorder_line(file_name(output.url or output.name))
        return {
            "url": output.url,
            "stream_key": output.stream_key,
            "headers": headers_to_json(self._core.headers()),
            "egress_allow": self._spec.egress_allow,
            "ai_label": self._ai_label(),
        }

    def _recorder_line(self, name: str) -> Json:
        return {
            "folder": self._spec.recordings_folder,
            "name": name,
            "headers": headers_to_json(self._core.headers()),
            "ai_label": self._ai_label(),
        }

    def _ai_label(self) -> str:
        """The readable mark in metadata. Source: GB 45438-2025, field AIGC."""
        mark = {"Label": "1", "ContentProducer": "LiveStudio", "ProduceID": self._spec.broadcast}
        return json.dumps({"AIGC": mark})

    def _source(self, name: str, rendition: str, seconds: float) -> HubSource:
        streams = {f"video:{rendition}", "aac"}
        return HubSource(self._core.hub.subscribe(name, streams=streams, capacity_seconds=seconds))

    def _report(self, supervisor: OutputSupervisor, report: OutputReport) -> None:
        current, _ = self._running.get(report.id, (None, None))
        if current is not supervisor:
            return  # it is being replaced; its last words are not the output's state
        has_trouble = report.state in ("failed", "retrying")
        if has_trouble:
            self._close_files(report.id)
        if report.id != _RECORDING:
            self._emit("output", _numbers(report))
        elif has_trouble:
            data = {"kind": "recorder", "pid": 0, "state": "failed", "reason": report.reason}
            self._emit("worker", data)

    def _recording_line(self, output_id: str, line: Json) -> None:
        path = line.get("path")
        if line.get("file") == "opened" and path:
            self._files[path] = (str(uuid.uuid4()), output_id)
            self._tell_file(path, "recording", media_time_ms=line.get("media_time_ms"))
        elif line.get("file") == "closed" and path in self._files:
            self._tell_file(path, "finished", duration_ms=line.get("duration_ms"))
            del self._files[path]

    def _close_files(self, output_id: str) -> None:
        """What a dead recorder was writing plays up to its last fragment, and grows no more."""
        for path in [path for path, (_, owner) in self._files.items() if owner == output_id]:
            self._tell_file(path, "finished", duration_ms=None)
            del self._files[path]

    def _tell_file(self, path: str, state: str, **numbers: int | None) -> None:
        """numbers: media_time_ms where the file begins, duration_ms when it is finished."""
        data = {"id": self._files[path][0], "path": path, "state": state, "reason": "", **numbers}
        self._emit("recording", data)


def file_name(text: str) -> str:
    """A safe name for a file output: no folder, no odd characters."""
    name = text.rsplit("/", 1)[-1].removesuffix(".mp4")  # the recorder adds the time and .mp4
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "output"


def _numbers(report: OutputReport) -> Json:
    values = asdict(report)
    return {name: values[name] for name in _NUMBERS}


_NUMBERS: Final = ("id", "state", "reason", "bitrate_kbps", "dropped", "reconnects")
