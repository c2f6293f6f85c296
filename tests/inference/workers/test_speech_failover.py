"""A chain of voices whose first one fails: each sentence comes once, whole, from the next."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import VISEMES
from inference.protocol import VoiceSpec
from inference.workers import speech_client
from inference.workers.speech_client import Sentence, Speech, SpeechClient
from tests.inference.speech.edge import service as edge
from tests.inference.speech.openai_speech import server as openai

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ("Hello everyone, welcome to the show.", "My brother Bob bought a big brown bag.")
ESPEAK = VoiceSpec("spare", "espeak", "en-US")


class Stage:
    """A client over a chain of voices, and what it said happened."""

    def __init__(self, first: VoiceSpec) -> None:
        self.ready: list[str] = []
        self.failures: list[str] = []
        self.states: list[str] = []
        self.made: list[tuple[str, str, int]] = []
        self.client = SpeechClient(
            (first, ESPEAK),
            on_ready=lambda speech: self.ready.append(speech.sentence.text),
            on_state=lambda state, pid, reason: self.states.append(f"{state} {reason}".strip()),
            on_voice_failed=lambda voice, message: self.failures.append(f"{voice.id}: {message}"),
            on_made=lambda voice, *told: self.made.append((voice.id, *told)),
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Its worker lives meanwhile."""
        running = asyncio.create_task(self.client.worker.run())
        try:
            yield
        finally:
            await self.client.close()
            await running

    async def speak(self) -> list[Speech]:
        """Both sentences, asked for at once."""
        async with self.working():
            speeches = [self.client.get(Sentence(text, "en-US", 3), "say") for text in TEXTS]
            await asyncio.wait_for(asyncio.gather(*(s.done.wait() for s in speeches)), 120)
        return speeches


@pytest.fixture
def server() -> Iterator[openai.Server]:
    with openai.serve(openai.Server()) as running:
        yield running


def server_voice(server: openai.Server) -> VoiceSpec:
    settings = {"base_url": server.base_url, "egress_allow": ["loopback"]}
    return VoiceSpec("first", "openai_speech", "en-US", settings)


async def test_a_server_voice_has_lips_and_words(server: openai.Server) -> None:
    stage = Stage(server_voice(server))

    speeches = await stage.speak()

    assert stage.failures == []
    assert [speech.voice for speech in speeches] == ["first", "first"]
    assert sorted(stage.made) == sorted(("first", text, 0) for text in TEXTS)
    shapes = {VISEMES[shape] for _, shape, _ in speeches[1].visemes}
    assert {"PP", "aa", "sil"} <= shapes  # of p, b, m: found from the text, not from loudness
    assert len(speeches[1].words) >= 7
    assert [position for _, position in speeches[1].words][:3] == [0, 3, 11]


async def test_tokens_are_told_of_each_sentence_that_its_server_made(
    server: openai.Server,
) -> None:
    voice = server_voice(server)
    stage = Stage(replace(voice, settings={**voice.settings, "stream_format": "sse"}))

    async with stage.working():
        first = stage.client.get(Sentence(TEXTS[0], "en-US", 3), "prefetch")
        await asyncio.wait_for(first.done.wait(), 120)
        again = stage.client.get(Sentence(TEXTS[0], "en-US", 3), "say")
        server.behaviour = "no_done"
        second = stage.client.get(Sentence(TEXTS[1], "en-US", 3), "say")
        await asyncio.wait_for(second.done.wait(), 120)

    assert again is first
    # From the cache, and by the spare voice: no tokens.
    assert stage.made == [("first", TEXTS[0], openai.TOKENS), ("spare", TEXTS[1], 0)]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("silent", "silence"),
        ("hang_up", "broke off"),
        ("cut", "missing"),
        ("500", "failed (500)"),
        ("429", "too many"),
    ],
)
async def test_a_failing_server_costs_no_sentence(
    server: openai.Server, behaviour: str, words: str
) -> None:
    server.behaviour = behaviour
    stage = Stage(server_voice(server))

    speeches = await stage.speak()

    _check_once_each(stage, speeches)
    assert all(words in failure for failure in stage.failures)


@pytest.mark.parametrize(
    ("behaviour", "stream", "words"),
    [
        ("slow", "audio", "no sound within 3.5 s"),
        ("stall", "sse", "stopped inside the sentence"),
        pytest.param("stall", "audio", "stopped inside the sentence", marks=pytest.mark.long),
    ],
)
async def test_a_server_that_hangs_makes_one_sentence_wait(
    server: openai.Server, behaviour: str, stream: str, words: str
) -> None:
    server.behaviour = behaviour
    voice = server_voice(server)
    stage = Stage(replace(voice, settings={**voice.settings, "stream_format": stream}))

    async with stage.working():
        speeches = [stage.client.get(Sentence(text, "en-US", 3), "say") for text in TEXTS]
        await asyncio.wait_for(asyncio.gather(*(s.done.wait() for s in speeches)), 120)
        asked = len(server.bodies)
        later = stage.client.get(Sentence("Hello.", "en-US", 3), "say")
        await asyncio.wait_for(later.done.wait(), 120)

    # The voice rests: whatever comes next is not even tried with it.
    assert (later.voice, len(server.bodies)) == ("spare", asked)
    stage.ready.remove("Hello.")
    _check_spare_after_one_wait(stage, speeches, words)


async def test_a_voice_that_rested_is_asked_again(
    server: openai.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_client, "REST_SECONDS", 0.0)
    server.behaviour = "slow"
    stage = Stage(server_voice(server))

    async with stage.working():
        first = stage.client.get(Sentence(TEXTS[0], "en-US", 3), "say")
        await asyncio.wait_for(first.done.wait(), 120)
        server.behaviour = "speak"
        second = stage.client.get(Sentence(TEXTS[1], "en-US", 3), "say")
        await asyncio.wait_for(second.done.wait(), 120)

    assert (first.voice, second.voice) == ("spare", "first")


# A library that never comes back: asleep, and asleep with the interpreter's lock in its hand.
_ASLEEP = "time.sleep(3600)"
_LOCKED = "ctypes.PyDLL(None).sleep(3600)"


@pytest.mark.parametrize("nap", [_ASLEEP, pytest.param(_LOCKED, marks=pytest.mark.long)])
async def test_a_voice_that_hangs_inside_its_worker_costs_no_sentence(
    nap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hang_male_voices(nap, tmp_path, monkeypatch)
    stage = Stage(replace(ESPEAK, id="first", settings={"gender": "male"}))

    async with stage.working():
        warm = stage.client.get(Sentence("Hello.", "en-US", 3), "prefetch")
        speeches = [stage.client.get(Sentence(text, "en-US", 3), "say") for text in TEXTS]
        await asyncio.wait_for(asyncio.gather(*(s.done.wait() for s in (warm, *speeches))), 120)

    assert sorted(stage.ready) == sorted((*TEXTS, "Hello."))
    assert warm.is_ready
    assert [speech.voice for speech in (warm, *speeches)] == ["spare"] * 3
    assert len(stage.failures) == 1
    assert "first: " in stage.failures[0]
    # One worker died of it, and the next one worked.
    assert [s.split()[0] for s in stage.states] == ["started", "died", "started", "ended"]


def _hang_male_voices(nap: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in voice of the worker, a process of its own, hangs where it is a man's."""
    patch = f"""
import ctypes, sys, time
sys.path.insert(0, {str(ROOT)!r})
from inference.engines.speech.espeak.engine import EspeakEngine
speak = EspeakEngine.synthesize
def hang(self, request):
    if request.settings.get("gender") == "male":
        {nap}
    return speak(self, request)
EspeakEngine.synthesize = hang
"""
    (folder / "sitecustomize.py").write_text(patch)
    monkeypatch.setenv("PYTHONPATH", str(folder))


async def test_a_server_that_is_gone_costs_no_sentence(server: openai.Server) -> None:
    voice = server_voice(server)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    settings = {**voice.settings, "base_url": f"http://127.0.0.1:{port}/v1"}
    stage = Stage(replace(voice, settings=settings))

    speeches = await stage.speak()

    _check_once_each(stage, speeches)
    assert all("cannot be reached" in failure for failure in stage.failures)


async def test_a_cut_mp3_costs_no_sentence(server: openai.Server) -> None:
    voice = server_voice(server)
    server.behaviour = "cut"
    stage = Stage(replace(voice, settings={**voice.settings, "response_format": "mp3"}))

    speeches = await stage.speak()

    _check_once_each(stage, speeches)


async def test_a_wrong_rate_costs_no_sentence(server: openai.Server) -> None:
    server.rate_hz = 1_000_000
    stage = Stage(server_voice(server))

    speeches = await stage.speak()

    _check_once_each(stage, speeches)
    assert all("cannot be right" in failure for failure in stage.failures)


async def test_a_worker_that_stands_still_is_found_by_its_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What finds a voice that answers pings and says nothing is to take no part.
    monkeypatch.setattr(speech_client, "SILENCE_SECONDS", 3600.0)
    stage = Stage(replace(ESPEAK, id="first"))
    async with stage.working():
        first = stage.client.get(Sentence(TEXTS[0], "en-US", 3), "say")
        await asyncio.wait_for(first.done.wait(), 120)
        assert stage.client.worker.pid is not None
        os.kill(stage.client.worker.pid, signal.SIGSTOP)
        second = stage.client.get(Sentence(TEXTS[1], "en-US", 3), "say")
        await asyncio.wait_for(second.done.wait(), 120)

    assert stage.ready == list(TEXTS)
    assert second.is_ready
    assert stage.failures == []
    assert stage.states == ["started", "died it answers no pings", "started", "ended exit status 0"]


@pytest.fixture
def edge_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[edge.Service]:
    with edge.serve(edge.Service()) as service:
        # The worker is a process of its own: it meets the local service as it starts.
        patch = f"import edge_tts.communicate as c\nc.WSS_URL = {service.address!r}\n"
        (tmp_path / "sitecustomize.py").write_text(patch)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        yield service


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("refuse", "403"),
        ("close", "broke"),
        ("cut", "less sound"),
        ("mute", "silence"),
        ("no_audio", "no sound"),
    ],
)
async def test_a_failing_edge_service_costs_no_sentence(
    edge_service: edge.Service, behaviour: str, words: str
) -> None:
    edge_service.behaviour = behaviour
    stage = Stage(VoiceSpec("first", "edge", "en-US"))

    speeches = await stage.speak()

    _check_once_each(stage, speeches)
    assert all(words in failure for failure in stage.failures)


@pytest.mark.long
@pytest.mark.parametrize(
    ("behaviour", "words"), [("slow", "no sound within"), ("stall", "stopped inside")]
)
async def test_an_edge_service_that_hangs_makes_one_sentence_wait(
    edge_service: edge.Service, behaviour: str, words: str
) -> None:
    edge_service.behaviour = behaviour
    stage = Stage(VoiceSpec("first", "edge", "en-US"))

    speeches = await stage.speak()

    _check_spare_after_one_wait(stage, speeches, words)


async def test_an_edge_voice_has_lips_and_its_own_words(edge_service: edge.Service) -> None:
    stage = Stage(VoiceSpec("first", "edge", "en-US"))

    speeches = await stage.speak()

    assert stage.failures == []
    assert [speech.voice for speech in speeches] == ["first", "first"]
    assert "PP" in {VISEMES[shape] for _, shape, _ in speeches[1].visemes}
    assert [position for _, position in speeches[1].words][:3] == [0, 3, 11]


def _check_once_each(stage: Stage, speeches: list[Speech]) -> None:
    """Every sentence is whole, once, from the spare voice; each failed once before."""
    assert len(stage.failures) == 2
    assert all(failure.startswith("first: ") for failure in stage.failures)
    _check_whole(stage, speeches)


def _check_spare_after_one_wait(stage: Stage, speeches: list[Speech], words: str) -> None:
    """Every sentence is whole, once, from the spare voice; one alone waited for the first."""
    assert len(stage.failures) == 1
    assert stage.failures[0].startswith("first: ")
    assert words in stage.failures[0]
    _check_whole(stage, speeches)


def _check_whole(stage: Stage, speeches: list[Speech]) -> None:
    assert sorted(stage.ready) == sorted(TEXTS)
    assert [speech.voice for speech in speeches] == ["spare", "spare"]
    for speech in speeches:
        assert 1.5 < len(speech.samples) / 48_000 < 4.5
        assert np.abs(speech.samples).max() > 3000
    # Waiting for a slow voice is no hanging: the worker answers pings all the while.
    assert [state.split()[0] for state in stage.states] == ["started", "ended"]
