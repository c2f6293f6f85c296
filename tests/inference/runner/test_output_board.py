"""Outputs are brought to what is wanted; names of the files that they write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.protocol import Json, OutputSpec, RunnerSpec
from inference.runner.core import MediaCore, QuietCoreListener
from inference.runner.output_board import OutputBoard, file_name
from tests.inference.runner.viewer_peer import eventually
from tests.inference.runner.web_side import make_spec


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("evening.mp4", "evening"),
        ("evening", "evening"),
        ("../../etc/passwd", "passwd"),
        ("a b:c.mp4", "a-b-c"),
        (".mp4", "output"),
        ("", "output"),
    ],
)
def test_a_file_output_has_a_safe_name_without_its_ending(given: str, name: str) -> None:
    assert file_name(given) == name


# --- real children -------------------------------------------------------------------------------

RTMP_NOBODY = "rtmp://127.0.0.1:9/live"


class Board:
    """A board on a core that sends a plain picture, and what it told."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self.events: list[tuple[str, Json]] = []
        self.core = MediaCore(spec.renditions, QuietCoreListener())
        self.board = OutputBoard(spec, self.core, lambda *event: self.events.append(event))

    def states(self, output: str) -> list[str]:
        """Every state of an output, in order."""
        return [data["state"] for _, data in self.events if data.get("id") == output]

    def pids(self) -> dict[str, int]:
        """{output: pid of its child}."""
        return {worker["output"]: worker["pid"] for worker in self.board.workers()}

    async def until(self, output: str, state: str) -> None:
        await eventually(
            lambda: self.states(output)[-1:] == [state], f"{output} {state}: {self.events}"
        )


@contextlib.asynccontextmanager
async def opened(folder: Path, *outputs: OutputSpec, **changes: Any) -> AsyncIterator[Board]:
    made = Board(make_spec(folder, (), outputs=outputs, **changes))
    made.core.start()
    made.board.open()
    try:
        yield made
    finally:
        await made.board.close()
        assert await asyncio.to_thread(made.core.stop, 60)


def file_output(name: str, **changes: Any) -> OutputSpec:
    return OutputSpec(name, name, "file", f"{name}.mp4", **changes)


@pytest.mark.live
async def test_newer_spec_changes_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    kept, stopped, added = (file_output(name) for name in ("kept", "stopped", "added"))
    waiting = OutputSpec("waiting", "Waiting", "rtmp", RTMP_NOBODY, desired="waiting_for_key")
    async with opened(tmp_path, kept, stopped, waiting) as on_air:
        await on_air.until("kept", "live")
        await on_air.until("stopped", "live")
        await on_air.until("waiting", "waiting_for_key")
        pid = on_air.pids()["kept"]

        on_air.board.follow(on_air.spec)
        newer = replace(
            on_air.spec,
            record=True,
            outputs=(
                kept,
                replace(stopped, desired="stopped"),
                replace(waiting, stream_key="today", desired="live"),
                added,
            ),
        )
        on_air.board.follow(newer)
        await on_air.until("stopped", "stopped")
        await on_air.until("waiting", "retrying")  # its key is known now; nobody listens there
        await on_air.until("added", "live")
        named = f"{on_air.spec.broadcast}*.mp4"
        await eventually(lambda: list(tmp_path.rglob(named)), "it records")

        assert on_air.pids()["kept"] == pid
        assert on_air.states("kept") == ["connecting", "live"]
        assert set(on_air.pids()) >= {"kept", "added", "recording"}

    assert on_air.states("kept")[-1] == "stopped"


@pytest.mark.live
async def test_recording_holds_what_was_on_air_before_its_child_could_write(
    tmp_path: Path,
) -> None:
    """A busy machine: its process gets no time before the broadcast ends."""
    async with opened(tmp_path, record=True) as on_air:
        await eventually(on_air.pids, "its process is there")
        pid = on_air.pids()["recording"]
        os.kill(pid, signal.SIGSTOP)
        pictures = on_air.core.metrics()["frames"] + 25
        await eventually(lambda: on_air.core.metrics()["frames"] >= pictures, "a second is on air")
        os.kill(pid, signal.SIGCONT)

    files = [data for kind, data in on_air.events if kind == "recording"]
    assert [data["state"] for data in files] == ["recording", "finished"]
    # The first picture that it can begin with comes within half a second.
    assert files[1]["duration_ms"] >= 400


@pytest.mark.live
async def test_last_of_many_quick_commands_wins(tmp_path: Path) -> None:
    async with opened(tmp_path, file_output("disk")) as on_air:
        await on_air.until("disk", "live")
        for _ in range(5):
            on_air.board.stop("disk")
            on_air.board.start("disk")
        on_air.board.stop("disk")
        await on_air.until("disk", "stopped")
        assert on_air.pids() == {}

        on_air.board.start("disk")
        on_air.board.stop("disk")
        on_air.board.start("disk")
        await on_air.until("disk", "live")
        assert len(on_air.pids()) == 1


@pytest.mark.live
async def test_failed_output_is_started_by_a_command_and_not_by_the_same_spec(
    tmp_path: Path,
) -> None:
    forbidden = OutputSpec("push", "Push", "rtmp", RTMP_NOBODY, "key")
    async with opened(tmp_path, forbidden, egress_allow=()) as on_air:
        await on_air.until("push", "failed")
        told = len(on_air.events)

        on_air.board.follow(on_air.spec)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(on_air.events) == told

        on_air.board.start("push")
        await eventually(lambda: len(on_air.events) > told, "it tries again")
        await on_air.until("push", "failed")

    assert on_air.states("push") == ["connecting", "failed", "connecting", "failed", "stopped"]


@pytest.mark.live
async def test_command_that_comes_while_the_broadcast_leaves_starts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as on_air:
        await on_air.board.close()

        on_air.board.add(file_output("late"))
        on_air.board.set_recording(on=True)
        for _ in range(10):
            await asyncio.sleep(0)

        assert on_air.board.workers() == []
        assert on_air.board._running == {}
    assert on_air.events == []
