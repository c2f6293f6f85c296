"""A disk that is full, a recording that cannot be written, a cache that is damaged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

import av
import pytest

from inference.engines.base import FaceSetup
from inference.engines.face.build import build_idle_loop
from inference.protocol import OutputSpec, RunnerSpec, VoiceSpec
from tests.inference.runner.web_side import WebSide, make_spec, running, web_side
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

TONE = (VoiceSpec("v1", "testtone", "en-US", {"seconds": 1.0}),)
TEXTS = tuple(f"Sentence number {number}." for number in range(1, 13))
# The reserve that the recorder leaves free, and what is written in some seconds.
SMALL_DISK_KIB = 256 * 1024 + 500


async def test_full_disk_stops_the_recording_and_never_the_show(
    tmp_path: Path, rtmp_server: RtmpServer
) -> None:
    output = OutputSpec("push", "Push", "rtmp", rtmp_server.push_url, "full-disk")
    spec = make_spec(tmp_path, TEXTS, voices=TONE, record=True, outputs=(output,))
    folder = spec.recordings_folder
    os.mkdir(folder)
    # A file system of its own, seen by the runner alone; no other rights are needed for it.
    mount = f'mount -t tmpfs -o size={SMALL_DISK_KIB}k tmpfs {folder} && exec "$@"'
    prefix = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    async with web_side(spec) as side, running(side, prefix=prefix) as process:
        await side.until(lambda: side.has("recording", state="recording"))
        await side.until(lambda: side.has("worker", kind="recorder", state="failed"), 60)
        said = len(side.utterances("said"))
        assert said < len(TEXTS)
        await _ended(side, process)

    (failed,) = [data for data in side.of_kind("worker") if data["kind"] == "recorder"]
    assert "disk is full" in failed["reason"]
    assert [data["state"] for data in side.of_kind("recording")] == ["recording", "finished"]
    assert [data["text"] for data in side.utterances("said")] == list(TEXTS)
    states = [data["state"] for data in side.of_kind("output")]
    assert states == ["connecting", "live", "stopped"]
    assert side.metrics["rebases"] == 0


async def test_recording_that_cannot_be_written_goes_on_in_a_new_file(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, TEXTS, voices=TONE, record=True)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("recording", state="recording"))
        await side.until(lambda: len(side.utterances("said")) >= 2)
        (pid,) = [worker["pid"] for worker in side.workers if worker["kind"] == "recorder"]
        (name,) = os.listdir(spec.recordings_folder)
        path = Path(spec.recordings_folder, name)
        # The first fragment is whole by then: what is cut off is a later one.
        await side.until(lambda: _seconds(path) > 1)
        size = os.stat(path).st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 100_000, size + 100_000))
        await side.until(lambda: side.has("recording", state="finished"), 60)
        await _ended(side, process)

    paths = [
        Path(data["path"]) for data in side.of_kind("recording") if data["state"] == "finished"
    ]
    assert len(paths) == 2
    assert all(_seconds(path) > 1 for path in paths)
    assert [data["text"] for data in side.utterances("said")] == list(TEXTS)
    assert side.metrics["rebases"] == 0


async def test_damaged_idle_loop_is_left_out_told_and_drawn_again(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("One.",), voices=TONE, ends="manual")
    setup = _setup(spec)
    path = build_idle_loop(setup)
    os.truncate(path, path.stat().st_size // 2)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("broadcast.state", state="live"))
        await side.until(lambda: side.metrics.get("source") == "worker", 60)
        await side.command("stop", when="now")
        await _ended(side, process)

    (told,) = [data for data in side.of_kind("worker") if data["kind"] == "idle_loop"]
    assert told["state"] == "failed"
    assert str(tmp_path) not in told["reason"]
    whole = build_idle_loop(setup).stat().st_size
    assert whole == path.stat().st_size == 50 * 320 * 180 * 3 // 2


def _setup(spec: RunnerSpec) -> FaceSetup:
    size = spec.renditions[0]
    return FaceSetup(
        width_px=size.width_px,
        height_px=size.height_px,
        frame_samples=size.frame_samples,
        framing=size.framing,
        background=spec.background,
        settings=spec.avatar.settings,
        cache_folder=spec.cache_folder,
    )


async def _ended(side: WebSide, process: asyncio.subprocess.Process) -> None:
    await side.until(lambda: side.has("broadcast.state", state="ended"), 90)
    assert await asyncio.wait_for(process.wait(), 20) == 0


def _seconds(path: Path) -> float:
    """What plays, up to the fragment that the disk did not take whole."""
    frames = 0
    with contextlib.suppress(av.error.InvalidDataError), av.open(str(path)) as container:
        for _ in container.decode(video=0):
            frames += 1
    return frames / 25
