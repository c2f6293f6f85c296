"""A real runner with its real workers against the link: on air, steered, hurt, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from inference.engines.speech.testtone.decode import decode_tags
from inference.media.ring import shared_memory_folder
from inference.protocol import OutputSpec, RenditionSpec, VoiceSpec
from inference.runner.bootstrap import Arguments, Bootstrap
from inference.runner.encode import PictureDue, PictureStage
from inference.runner.session import EXIT_CRASHED, Session
from tests.inference.speech.openai_speech.server import TOKENS, Server, serve
from tests.services import RtmpServer
from tests.steady import repeated_if_late

from .web_side import WebSide, make_spec, running, web_side

pytestmark = pytest.mark.live

TONE = (VoiceSpec("v1", "testtone", "en-US", {"seconds": 1.5}),)


def tone_texts(path: Path) -> list[tuple[int, int]]:
    """(utterance number, generation) of each tone in a recording, in order, each run once."""
    tags: list[tuple[int, int]] = []
    for tag in decode_tags(sound(path)):
        if not tags or tags[-1] != (tag[2], tag[3]):
            tags.append((tag[2], tag[3]))
    return tags


def sound(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """The left channel of a file, int16 at 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", 48_000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def recording(side: WebSide) -> Path:
    (done,) = [data for data in side.of_kind("recording") if data["state"] == "finished"]
    return Path(done["path"])


async def test_size_that_is_new_to_the_host_says_nothing_before_its_presenter_is_there(
    tmp_path: Path,
) -> None:
    """There is no idle loop and no baked art: the studio waits, with the AI label on it."""
    renditions = (RenditionSpec("main", 180, 320, 1920, 600),)
    spec = make_spec(tmp_path, ("大家好。",), renditions=renditions, record=True)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.metrics.get("presenter_loads"))
        assert await ended(side, process) == 0

    told = [event.data.get("kind", event.kind) for event in side.events]
    assert told.index("face") < told.index("utterance")
    assert side.metrics["presenter_loads"] is False
    with av.open(str(recording(side))) as container:
        first = next(container.decode(video=0)).to_ndarray(format="gray")
    # An empty picture is a dark gradient; what is bright are letters.
    assert first[:80].max() > 180


async def stopped(side: WebSide, process: asyncio.subprocess.Process) -> int:
    """Told to end, for a show that would go on; the exit status."""
    await side.command("stop", when="now")
    return await ended(side, process)


async def ended(side: WebSide, process: asyncio.subprocess.Process) -> int:
    await side.until(lambda: side.has("broadcast.state", state="ended"))
    return await asyncio.wait_for(process.wait(), 60)


@pytest.fixture
def voice_server() -> Iterator[Server]:
    with serve(Server()) as server:
        yield server


async def test_event_of_a_sentence_tells_what_its_server_spent_on_it(
    tmp_path: Path, voice_server: Server
) -> None:
    settings = {"base_url": voice_server.base_url, "egress_allow": ["loopback"]}
    voice = VoiceSpec("v1", "openai_speech", "en-US", {**settings, "stream_format": "sse"})
    spec = make_spec(tmp_path, ("Hello and welcome.",), voices=(voice,))
    async with web_side(spec) as side, running(side) as process:
        assert await ended(side, process) == 0

    made = {"voice": "v1", "engine": "openai_speech", "characters": 18, "tokens": TOKENS}
    assert side.of_kind("speech.made") == [made]


@repeated_if_late
async def test_rundown_becomes_a_recording_that_plays(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("大家好，欢迎来到直播间。", "Hello and welcome."), record=True)
    async with web_side(spec) as side, running(side) as process:
        assert await ended(side, process) == 0

    said = [data["text"] for data in side.utterances("said")]
    assert said == ["大家好，欢迎来到直播间。", "Hello and welcome."]
    spoken = sum(data["played_ms"] for data in side.utterances("said")) / 1000
    samples = sound(recording(side)).astype(np.float32)
    loud = (
        np.sqrt(np.mean(samples[: len(samples) // 960 * 960].reshape(-1, 960) ** 2, axis=1)) > 200
    )
    assert 0.5 * spoken < loud.sum() * 0.02 <= spoken + 0.2
    with av.open(str(recording(side))) as container:
        frames = list(container.decode(video=0))
    times = [
        round(float(frame.pts * frame.time_base) * 25) for frame in frames if frame.pts is not None
    ]
    assert times == sorted(set(times))
    assert len(frames) + side.skipped > 25 * spoken * 0.8


@repeated_if_late
async def test_interrupt_and_say_then_the_cut_sentence_again(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("First.", "Second."), voices=TONE, record=True)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.utterances("speaking"))
        await asyncio.sleep(0.4)
        cut = await side.command("interrupt", resume_after_seconds=None)
        said = await side.command("say", utterance="line-1", text="News from the operator.")
        code = await ended(side, process)

    assert code == 0
    assert cut.ok
    assert (cut.data or {})["generation"] == 1
    assert said.ok
    assert [d["text"] for d in side.utterances("interrupted")] == ["First."]
    texts = [d["text"] for d in side.utterances("said")]
    assert texts == ["News from the operator.", "First.", "Second."]
    tags = tone_texts(recording(side))
    assert [generation for _, generation in tags] == [0, 1, 1, 1]


async def test_command_that_waited_for_the_runner_finds_a_script_that_has_begun(
    tmp_path: Path,
) -> None:
    """One is told all that was asked for meanwhile before its first picture is ready."""
    spec = make_spec(tmp_path, ("First.",), voices=TONE)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.hellos)
        resumed = await side.command("resume")
        assert await ended(side, process) == 0

    assert resumed.ok
    assert [data["text"] for data in side.utterances("said")] == ["First."]


async def test_refused_commands_say_why(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("First.",), voices=TONE, ends="manual")
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("broadcast.state", state="live"))
        cases = {
            "unknown_cue": await side.command("take", cue="nowhere"),
            "unknown_expression": await side.command("expression", name="grumpy"),
            "unknown_gesture": await side.command("gesture", name="backflip"),
            "unknown_clip": await side.command("clip", clip="intro"),
            "unknown_output": await side.command("output_start", id="nothing"),
            "invalid_text": await side.command("say", utterance="u", text="Hello [dance]"),
        }
        await stopped(side, process)

    for code, result in cases.items():
        assert not result.ok
        assert (result.error or {})["code"] == code
        assert len((result.error or {})["message"]) > 10


@repeated_if_late
async def test_killed_speech_worker_costs_no_sentence(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("One. Two. Three.",), voices=TONE, record=True)
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.utterances("speaking"))
        kill_worker(side, "speech")
        await ended(side, process)

    assert [d["text"] for d in side.utterances("said")] == ["One.", "Two.", "Three."]
    assert len(tone_texts(recording(side))) == 3


@repeated_if_late
async def test_killed_face_worker_leaves_the_picture_running(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("One. Two.",), voices=TONE, record=True, ends="manual")
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("worker", kind="face", state="started"))
        kill_worker(side, "face")
        await side.until(lambda: started_workers(side, "face") >= 2)
        await side.until(lambda: len(side.utterances("said")) == 2)
        await stopped(side, process)

    assert len(side.utterances("said")) == 2
    check_runs_on(side)
    assert not rings(spec.broadcast)


@pytest.mark.long
@repeated_if_late
async def test_hung_face_worker_is_replaced_and_the_picture_runs_on(tmp_path: Path) -> None:
    texts = ("One. Two. Three. Four. Five. Six.",)
    spec = make_spec(tmp_path, texts, voices=TONE, record=True, ends="manual")
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("worker", kind="face", state="started"))
        await side.until(lambda: side.metrics.get("source") == "worker")
        kill_worker(side, "face", signal.SIGSTOP)
        await side.until(lambda: started_workers(side, "face") >= 2)
        await side.until(lambda: side.metrics.get("source") == "worker")
        await side.until(lambda: len(side.utterances("said")) == 6)
        assert await stopped(side, process) == 0

    assert len(side.utterances("said")) == 6
    assert side.has("worker", kind="face", state="died")
    check_runs_on(side)
    assert not rings(spec.broadcast)


@repeated_if_late
async def test_killed_runner_is_followed_by_one_that_says_the_cut_sentence(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("One. Two. Three.",), voices=TONE)
    async with web_side(spec) as side:
        async with running(side) as process:
            await side.until(lambda: len(side.utterances("speaking")) == 2)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with running(side) as process:
            await ended(side, process)

    assert [d["text"] for d in side.utterances("said")] == ["One.", "Two.", "Three."]
    assert [d["text"] for d in side.utterances("speaking")] == ["One.", "Two.", "Two.", "Three."]
    assert not rings(spec.broadcast)


@pytest.mark.long
@repeated_if_late
async def test_crashed_media_stage_leaves_the_air_and_the_next_runner_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path, ("One. Two. Three.",), voices=TONE)
    work = PictureStage.work

    async with web_side(spec) as side:

        def fail_in_the_second_sentence(stage: PictureStage, item: PictureDue) -> None:
            if len(side.utterances("speaking")) == 2:
                raise RuntimeError("the encoder is broken")
            work(stage, item)

        bootstrap = Bootstrap(spec.broadcast, 1, "test", side.url, spec.run_folder)
        with monkeypatch.context() as broken:
            broken.setattr(PictureStage, "work", fail_in_the_second_sentence)
            session = Session(Arguments(bootstrap, None))
            async with asyncio.timeout(60):
                assert await session.run() == EXIT_CRASHED
            session._outbox.close()  # as the end of its process does
        assert side.has("worker", kind="core:video", state="died")
        assert not side.has("broadcast.state", state="ended")
        async with running(side) as process:
            assert await ended(side, process) == 0

    assert [d["text"] for d in side.utterances("said")] == ["One.", "Two.", "Three."]
    assert [d["text"] for d in side.utterances("speaking")] == ["One.", "Two.", "Two.", "Three."]
    assert not rings(spec.broadcast)


@pytest.mark.long
@repeated_if_late
async def test_encoder_that_hangs_leaves_the_air_and_the_next_runner_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path, ("One. Two. Three.",), voices=TONE)
    work, freed = PictureStage.work, threading.Event()

    async with web_side(spec) as side:

        def hang_in_the_second_sentence(stage: PictureStage, item: PictureDue) -> None:
            if len(side.utterances("speaking")) == 2:
                freed.wait()
            work(stage, item)

        bootstrap = Bootstrap(spec.broadcast, 1, "test", side.url, spec.run_folder)
        with monkeypatch.context() as broken:
            broken.setattr(PictureStage, "work", hang_in_the_second_sentence)
            session = Session(Arguments(bootstrap, None))
            try:
                async with asyncio.timeout(60):
                    assert await session.run() == EXIT_CRASHED
            finally:
                freed.set()
            session._outbox.close()  # as the end of its process does
        (died,) = [data for data in side.of_kind("worker") if data["kind"] == "core:video"]
        assert (died["state"], died["reason"]) == ("died", "the encoder stood still")
        assert not side.has("broadcast.state", state="ended")
        async with running(side) as process:
            assert await ended(side, process) == 0

    assert [d["text"] for d in side.utterances("said")][-2:] == ["Two.", "Three."]
    assert not rings(spec.broadcast)


@repeated_if_late
async def test_three_outputs_of_which_two_fail_and_one_plays(
    tmp_path: Path, rtmp_server: RtmpServer
) -> None:
    outputs = (
        OutputSpec("good", "Good", "rtmp", rtmp_server.push_url, "three-good"),
        OutputSpec("refused", "Refused", "rtmp", rtmp_server.refusing_url, "three-refused"),
        OutputSpec("nobody", "Nobody", "rtmp", "rtmp://127.0.0.1:9/live", "k"),
        OutputSpec("later", "Later", "rtmp", rtmp_server.push_url, desired="waiting_for_key"),
    )
    spec = make_spec(tmp_path, ("One.",), voices=TONE, outputs=outputs, ends="manual")
    async with web_side(spec) as side, running(side) as process:
        await side.until(lambda: side.has("output", id="good", state="live"))
        await side.until(lambda: side.has("output", id="refused", state="failed"))
        await side.until(lambda: side.has("output", id="nobody", state="retrying"))
        assert side.has("output", id="later", state="waiting_for_key")
        replaced = await side.command("output_replace_key", id="later", stream_key="three-later")
        await side.until(lambda: side.has("output", id="later", state="live"))
        await stopped(side, process)

    assert replaced.ok
    good = [data for data in side.of_kind("output") if data["id"] == "good"]
    assert [data["state"] for data in good] == ["connecting", "live", "stopped"]
    assert good[-1]["dropped"] == 0


async def test_end_of_the_life_pipe_ends_the_runner(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, ("One.",), voices=TONE, ends="manual")
    read_end, write_end = os.pipe()
    async with web_side(spec) as side, running(side, life_fd=read_end) as process:
        os.close(read_end)
        await side.until(lambda: side.has("broadcast.state", state="live"))
        os.close(write_end)
        assert await asyncio.wait_for(process.wait(), 60) == 0


def check_runs_on(side: WebSide) -> None:
    """A late machine may skip pictures, and counts them; a dead worker must not stop them."""
    with av.open(str(recording(side))) as container:
        pts = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
    assert max(b - a for a, b in pairwise(pts)) < 48_000 + 1920 * side.skipped


def rings(broadcast: str) -> list[Path]:
    return list(shared_memory_folder().glob(f"livestudio-{broadcast}-*"))


def kill_worker(side: WebSide, kind: str, number: signal.Signals = signal.SIGKILL) -> None:
    pid = next(d["pid"] for d in reversed(side.of_kind("worker")) if d["kind"] == kind)
    os.kill(pid, number)


def started_workers(side: WebSide, kind: str) -> int:
    events = side.of_kind("worker")
    return sum(data["kind"] == kind and data["state"] == "started" for data in events)
