"""All outputs and the recording of a broadcast: added, started, stopped, reported."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import asdict, replace
from typing import Any, Final

from inference.media.packets import EncodedPacket
from inference.outputs.base import Json, OutputReport, headers_to_json
from inference.outputs.supervisor import OutputJob, OutputSupervisor
from inference.protocol import OutputSpec, RunnerSpec
from inference.runner.core import MediaCore
from inference.runner.fanout import Subscription

PUSH_SECONDS: Final = 3.0
RECORD_SECONDS: Final = 10.0
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

    def get(self, timeout: float) -> EncodedPacket | None:
        return self._subscription.get(timeout)

    def close(self) -> None:
        self._subscription.close()


class OutputBoard:
    """The outputs on air. emit(kind, data): an event."""

    def __init__(self, spec: RunnerSpec, core: MediaCore, emit: Callable[[str, Json], Any]) -> None:
        self._spec = spec
        self._core = core
        self._emit = emit
        self._specs: dict[str, OutputSpec] = {}
        self._running: dict[str, OutputSupervisor] = {}
        self._recording: OutputSupervisor | None = None
        self._files: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Start what the spec wants on air."""
        for output in self._spec.outputs:
            self.add(output)
        if self._spec.record:
            self._start_recording()

    def add(self, output: OutputSpec) -> None:
        """Add an output on air; the same id again replaces its settings."""
        self._specs[output.id] = output
        if output.desired == "live":
            self._start(output)
        else:
            self._report(OutputReport(output.id, output.desired))

    def start(self, output_id: str) -> None:
        """Start a stopped or failed output. Raises UnknownOutputError."""
        output = self._require(output_id)
        if output.desired == "waiting_for_key":
            self._report(OutputReport(output_id, "waiting_for_key"))
            return
        running = self._running.get(output_id)
        if running is None or not running.is_running:
            self._start(output)

    def stop(self, output_id: str) -> None:
        """Stop one output; the others do not notice. Raises UnknownOutputError."""
        self._require(output_id)
        running = self._running.pop(output_id, None)
        if running is not None:
            self._in_background(running.stop("stopped by the operator"))
        else:
            self._report(OutputReport(output_id, "stopped", "stopped by the operator"))

    def replace_key(self, output_id: str, stream_key: str) -> None:
        """Go live (again) with a new key. Raises UnknownOutputError."""
        output = replace(self._require(output_id), stream_key=stream_key, desired="live")
        self._specs[output_id] = output
        self._in_background(self._restart(output, self._running.pop(output_id, None)))

    def set_recording(self, *, on: bool) -> None:
        """Record from now on, or stop recording."""
        if on:
            self._start_recording()
        else:
            self._in_background(self._stop_recording())

    async def _restart(self, output: OutputSpec, running: OutputSupervisor | None) -> None:
        if running is not None:
            await running.stop("the key was replaced")
        self._start(output)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """A child takes seconds to end; the operator's next command must not wait for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_recording(self) -> None:
        if self._recording is not None and self._recording.is_running:
            return
        job = OutputJob(
            _RECORDING,
            "inference.outputs.recorder",
            lambda: self._recorder_line(self._spec.broadcast),
            lambda: self._source("record", "main", RECORD_SECONDS),
        )
        self._recording = OutputSupervisor(
            job, on_report=self._recording_report, on_line=self._recording_line
        )
        self._recording.start()

    async def _stop_recording(self) -> None:
        if self._recording is not None:
            recording, self._recording = self._recording, None
            await recording.stop("")

    async def close(self) -> None:
        """End everything, in parallel."""
        stops = [running.stop("the broadcast has ended") for running in self._running.values()]
        await asyncio.gather(*stops, self._stop_recording(), *self._tasks)
        self._running.clear()

    def metrics(self) -> list[Json]:
        """The newest numbers of each output."""
        return [_numbers(running.report) for running in self._running.values()]

    def workers(self) -> list[Json]:
        """The processes behind the outputs."""
        pairs = [("pusher", running) for running in self._running.values()]
        if self._recording is not None:
            pairs.append(("recorder", self._recording))
        return [{"kind": kind, "pid": s.pid, "output": s.report.id} for kind, s in pairs if s.pid]

    def _require(self, output_id: str) -> OutputSpec:
        output = self._specs.get(output_id)
        if output is None:
            raise UnknownOutputError("this output is not part of the broadcast")
        return output

    def _start(self, output: OutputSpec) -> None:
        supervisor = OutputSupervisor(
            OutputJob(
                output.id,
                "inference.outputs.pusher"
                if output.kind == "rtmp"
                else "inference.outputs.recorder",
                lambda: self._first_line(self._specs[output.id]),
                lambda: self._source(output.name, output.rendition, PUSH_SECONDS),
            ),
            on_report=self._report,
            on_line=self._recording_line,
        )
        self._running[output.id] = supervisor
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

    def _report(self, report: OutputReport) -> None:
        self._emit("output", _numbers(report))

    def _recording_report(self, report: OutputReport) -> None:
        """Why a recording does not go on; its file, if one was begun, is closed by its own line."""
        if report.state in ("failed", "retrying"):
            data = {"kind": "recorder", "pid": 0, "state": "failed", "reason": report.reason}
            self._emit("worker", data)

    def _recording_line(self, line: Json) -> None:
        path = line.get("path")
        if line.get("file") == "opened" and path:
            self._files[path] = str(uuid.uuid4())
            self._tell_file(path, "recording", None)
        elif line.get("file") == "closed" and path in self._files:
            self._tell_file(path, "finished", line.get("duration_ms"))

    def _tell_file(self, path: str, state: str, duration_ms: int | None) -> None:
        data = {
            "id": self._files[path],
            "path": path,
            "state": state,
            "reason": "",
            "duration_ms": duration_ms,
        }
        self._emit("recording", data)


def file_name(text: str) -> str:
    """A safe name for a file output: no folder, no odd characters."""
    name = text.rsplit("/", 1)[-1].removesuffix(".mp4")  # the recorder adds the time and .mp4
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "output"


def _numbers(report: OutputReport) -> Json:
    values = asdict(report)
    return {name: values[name] for name in _NUMBERS}


_NUMBERS: Final = ("id", "state", "reason", "bitrate_kbps", "dropped", "reconnects")
