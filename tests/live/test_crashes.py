"""kill -9 of each part of a running broadcast: the picture goes on, the transcript stays true."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rtmp_reader import RtmpReader
from streams.services.reaping import SHARED_MEMORY
from tests.live.airings import FRAME_MS
from tests.live.site import Processes, wait_until
from tests.live.studio import Studio, open_studio
from tests.services import RtmpServer

pytestmark = pytest.mark.live

TEXTS = tuple(f"Sentence number {number}." for number in range(1, 7))
LONG_TONE_SECONDS = 1.0


@pytest.fixture(scope="module")
def voice(studio: Studio) -> str:
    return studio.platform.make_voice("testtone", seconds=LONG_TONE_SECONDS)


@contextmanager
def airing(studio: Studio, server: RtmpServer, key: str, voice: str) -> Iterator[tuple[str, Any]]:
    """(broadcast, reader of its RTMP output): six sentences once, on air from the first."""
    output = studio.platform.make_output(server.push_url, key)
    show = studio.make_small_show(*TEXTS, output=output, voice=voice)
    with RtmpReader(server.url(key)) as reader, studio.platform.on_air(show) as broadcast:
        reader.wait_for_picture(120)
        wait_until(lambda: _said(studio, broadcast), "the first sentence is said")
        yield broadcast, reader


def test_killed_workers_come_back_and_every_sentence_is_said(
    studio: Studio, rtmp_server: RtmpServer, voice: str
) -> None:
    with airing(studio, rtmp_server, "crash-workers", voice) as (broadcast, reader):
        before = studio.site.broadcast(broadcast)
        _kill_worker(studio, broadcast, "speech")
        _kill_worker(studio, broadcast, "face")
        _check_goes_on_air(reader)
        _check_transcript(studio, broadcast)
        after = studio.site.broadcast(broadcast)
        _check_no_gap(studio, broadcast, reader)

    assert (after["runner_pid"], after["lease_epoch"]) == (before["runner_pid"], 1)


def test_killed_pusher_comes_back_on_its_stream(
    studio: Studio, rtmp_server: RtmpServer, voice: str
) -> None:
    key = "crash-pusher"
    with airing(studio, rtmp_server, key, voice) as (broadcast, _):
        _kill_worker(studio, broadcast, "pusher")
        studio.platform.wait_for(
            broadcast,
            lambda row: row["outputs"][0]["state"] == "live" and row["outputs"][0]["reconnects"],
            "pushing again",
        )
        with RtmpReader(rtmp_server.url(key)) as reader:
            reader.wait_for_picture(120)
            _check_goes_on_air(reader)
        _check_transcript(studio, broadcast)


def test_killed_web_and_control_loop_are_not_seen_on_air(
    studio: Studio, rtmp_server: RtmpServer, voice: str
) -> None:
    with airing(studio, rtmp_server, "crash-web", voice) as (broadcast, reader):
        before = studio.site.broadcast(broadcast)
        for word in ("daphne", "run_control"):
            (pid,) = _children(studio, word)
            os.kill(pid, signal.SIGKILL)
            wait_until(
                lambda word=word, pid=pid: set(_children(studio, word)) - {pid},
                f"{word} is started again",
            )
            studio.site.wait_for_web()
        _check_goes_on_air(reader)
        _check_transcript(studio, broadcast)
        after = studio.site.broadcast(broadcast)
        _check_no_gap(studio, broadcast, reader)

    assert (after["runner_pid"], after["lease_epoch"]) == (before["runner_pid"], 1)


def test_killed_runner_says_every_sentence_and_at_most_the_cut_one_twice(
    studio: Studio, rtmp_server: RtmpServer, voice: str
) -> None:
    with airing(studio, rtmp_server, "crash-runner", voice) as (broadcast, _):
        runner = studio.site.broadcast(broadcast)["runner_pid"]
        os.kill(runner, signal.SIGKILL)
        second = studio.site.wait_for_state(broadcast, "live", lease_epoch=2)
        assert second["runner_pid"] != runner
        _check_transcript(studio, broadcast)
        rows = studio.site.query(
            "SELECT sequence FROM streams_broadcastevent WHERE broadcast_id = ? ORDER BY sequence",
            broadcast.replace("-", ""),
        )

    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    wait_until(
        lambda: not list(SHARED_MEMORY.glob(f"livestudio-{broadcast}-*")),
        "the dead runner's memory is given back",
    )


def test_loop_that_is_stopped_has_said_each_cue_once_per_loop(studio: Studio) -> None:
    texts = ("First cue.", "Second cue.", "Third cue.")
    voice = studio.platform.make_voice("testtone", seconds=0.6)
    show = studio.make_small_show(*texts, voice=voice, rundown_mode="loop")
    with studio.platform.on_air(show) as broadcast:
        wait_until(lambda: len(_said(studio, broadcast)) >= 6, "two loops are said")
        studio.platform.call("POST", f"broadcasts/{broadcast}/stop/", {"when": "sentence_end"})
        studio.site.wait_for_state(broadcast, "ended")
        said = _said(studio, broadcast)

    assert [(row["loop"], row["text"]) for row in said[:6]] == [
        (loop, text) for loop in (0, 1) for text in texts
    ]
    assert max(Counter((row["loop"], row["text"]) for row in said).values()) == 1


def test_killed_up_leaves_nothing_behind() -> None:
    with open_studio() as studio:
        show = studio.make_small_show(rundown_mode="loop", record=True)
        broadcast = studio.platform.call("POST", f"shows/{show}/start/", {})["id"]
        studio.platform.wait_for(
            broadcast,
            lambda row: row["state"] == "live" and len(row["runner"]["workers"]) >= 3,
            "live with its workers",
        )
        processes = studio.processes(broadcast)
        assert len(processes.alive) >= 7
        assert list(SHARED_MEMORY.glob(f"livestudio-{broadcast}-*"))

        studio.up.kill()
        studio.up.wait()

        wait_until(lambda: not processes.left(), "every process has ended")
        assert not list(SHARED_MEMORY.glob(f"livestudio-{broadcast}-*"))


def _check_goes_on_air(reader: RtmpReader) -> None:
    """Two more seconds of pictures arrive, each later than the one before."""
    count = len(reader.recorded.pictures)
    wait_until(lambda: len(reader.recorded.pictures) >= count + 30, "pictures go on")
    assert reader.error is None


def _check_no_gap(studio: Studio, broadcast: str, reader: RtmpReader) -> None:
    """The stream never broke off: its own clock has no hole of a second.

    Only for a machine that stood still the runner answers not; it counts what that cost.
    """
    metrics = studio.platform.broadcast(broadcast)["metrics"]
    late_ms = metrics["dropped"] * FRAME_MS + sum(studio.clock_jumps_ms(broadcast))
    times = [picture.pts_ms for picture in reader.recorded.pictures]
    steps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert min(steps) > 0
    assert max(steps) < 1000 + late_ms


def _check_transcript(studio: Studio, broadcast: str) -> None:
    """Every sentence is said, in order, none twice; one that was cut is told as cut."""
    wait_until(lambda: len(_said(studio, broadcast)) >= len(TEXTS), "everything is said")
    said = [row["text"] for row in _said(studio, broadcast)]
    rows = studio.platform.utterances(broadcast)
    cut = [row["text"] for row in rows if row["state"] in ("interrupted", "failed", "dropped")]

    assert said == list(TEXTS)
    # A jump of the clock cuts a sentence too.
    assert len(cut) <= 1 + len(studio.clock_jumps_ms(broadcast))
    assert not [row for row in rows if row["state"] == "speaking"]


def _said(studio: Studio, broadcast: str) -> list[dict[str, Any]]:
    """What was said, in the order of media time; a new runner goes on where the last one ended."""
    said = [row for row in studio.platform.utterances(broadcast) if row["state"] == "said"]
    assert said == sorted(said, key=lambda row: str(row["started_at"]))
    return said


def _kill_worker(studio: Studio, broadcast: str, kind: str) -> None:
    """kill -9, and another one lives."""
    pid = _worker(studio, broadcast, kind)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _worker(studio, broadcast, kind, default=pid) != pid, f"a new {kind}")


def _worker(studio: Studio, broadcast: str, kind: str, *, default: int = 0) -> int:
    """The pid of a worker that lives, as the platform tells it."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        workers = (studio.platform.broadcast(broadcast).get("runner") or {}).get("workers", ())
        pids = [worker["pid"] for worker in workers if worker["kind"] == kind]
        if pids and Path(f"/proc/{pids[-1]}").exists():
            return int(pids[-1])
        if default:
            return default
        time.sleep(0.1)
    raise AssertionError(f"no {kind} worker")


def _children(studio: Studio, word: str) -> list[int]:
    """The processes of `up` whose command line holds a word."""
    found = []
    for pid in Processes(studio.up.pid).alive:
        path = Path(f"/proc/{pid}/cmdline")
        if path.exists() and word.encode() in path.read_bytes():
            found.append(pid)
    return found
