"""The speech worker: a real process over pipes, and its order of work with engines of the test."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pytest

from inference.engines.base import SpeechChunk, SpeechEngine, SpeechRequest, Timing
from inference.engines.speech.testtone.decode import decode_tags
from inference.workers import speech
from inference.workers.wire import Json, pack, read_message

ZH = "大家好，满300减50，欢迎来到直播间。"
EN = "Hello everyone, welcome to the show."


class Worker:
    """A worker process, asked and read as the media core does."""

    def __init__(self, *, test_engines: bool = True) -> None:
        environment = {**os.environ, "TEST_ENGINES": "1" if test_engines else "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inference.workers.speech"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.ready = self.read()[0]

    def send(self, header: Json) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(pack(header))
        self.process.stdin.flush()

    def read(self) -> tuple[Json, bytes]:
        """The next message but `begun`, which only says whom a death is to be blamed on."""
        assert self.process.stdout is not None
        message = read_message(self.process.stdout)
        while message is not None and message[0]["type"] == "begun":
            message = read_message(self.process.stdout)
        assert message is not None
        return message

    def ask(self, request: str, text: str, engine: str = "espeak", **more: Any) -> None:
        language = more.pop("language", "zh-CN")
        voice = {"engine": engine, "language": language, "settings": more.pop("settings", {})}
        self.send({"type": "synthesize", "request": request, "text": text, "voice": voice, **more})

    def answer(self, request: str) -> list[tuple[Json, bytes]]:
        """All messages up to the end of this request; others before it are dropped."""
        messages = []
        while True:
            message = self.read()
            if message[0].get("request") == request:
                messages.append(message)
                if message[0]["type"] in ("done", "failed"):
                    return messages

    def close(self) -> tuple[int, bytes]:
        """End of stdin; the exit status and what was left on stdout."""
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out


@pytest.fixture
def worker() -> Iterator[Worker]:
    running = Worker()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate()
    for stream in (running.process.stdin, running.process.stdout, running.process.stderr):
        if stream is not None and not stream.closed:
            stream.close()


def samples_of(messages: list[tuple[Json, bytes]]) -> np.ndarray[Any, np.dtype[np.int16]]:
    payloads = [payload for header, payload in messages if header["type"] == "chunk"]
    return np.frombuffer(b"".join(payloads), "<i2")


def test_a_sentence_comes_as_sound_and_tracks(worker: Worker) -> None:
    worker.ask("a", ZH, directives=[[4, "wave"]], priority="say", emotion=4)

    messages = worker.answer("a")

    kinds = [header["type"] for header, _ in messages]
    chunk_lengths = [len(payload) // 2 for header, payload in messages if header["type"] == "chunk"]
    samples = samples_of(messages)
    done, final = messages[-1][0], messages[-2][0]
    seconds = len(samples) / 48_000
    assert worker.ready == {"type": "ready", "pid": worker.process.pid}
    assert kinds[0] == "chunk"
    assert kinds.count("done") == 1
    assert done["samples"] == len(samples)
    assert min(chunk_lengths[:-1]) >= 960
    assert 3.0 < seconds < 6.0
    assert np.abs(samples).max() > 5000
    assert final["type"] == "track"
    assert final["final"] is True
    assert kinds.index("track") < len(kinds) - 2  # a first track comes while it is being spoken
    assert final["visemes"] == sorted(final["visemes"], key=lambda entry: entry[0])
    assert final["visemes"][-1][1] == 0
    assert final["visemes"][-1][0] <= seconds
    assert {position for _, position in final["words"]} <= set(range(len(ZH)))
    mark_seconds = next(at for at, name in final["marks"] if name == "wave")
    assert mark_seconds == next(at for at, position in final["words"] if position == 4)


def test_a_tone_tells_number_and_generation(worker: Worker) -> None:
    worker.ask("t", EN, "testtone", number=7, generation=3, settings={"seconds": 0.5})

    samples = samples_of(worker.answer("t"))

    [(start, end, number, generation)] = decode_tags(samples)
    assert (start <= 48, end, number, generation) == (True, 24_000, 7, 3)


def test_directives_of_other_engines_are_placed_by_their_share_of_the_text(worker: Worker) -> None:
    settings = {"seconds": 1.0}
    worker.ask("t", "0123456789", "testtone", settings=settings, directives=[[5, "wave"]])

    track = worker.answer("t")[-2][0]

    assert track["marks"] == [[0.5, "wave"]]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"engine": "nobody"}, "unknown_engine", "espeak"),
        ({"text": "……"}, "nothing_to_say", "nothing to say"),
        ({"settings": {"gender": "robot"}}, "bad_voice_setting", "female or male"),
        ({"priority": "soon"}, "bad_request", "soon"),
        ({"emotion": "glad"}, "bad_request", "glad"),
        ({"directives": [["x"]]}, "bad_request", "not well formed"),
        ({"text": None}, "bad_request", "text"),
    ],
)
def test_a_bad_request_fails_and_the_next_one_works(
    worker: Worker, changes: dict[str, Any], code: str, words: str
) -> None:
    fields: dict[str, Any] = {"text": EN, "language": "en-US", **changes}
    worker.ask("bad", **fields)
    worker.ask("good", EN, language="en-US")

    failed = worker.answer("bad")[-1][0]

    assert (failed["type"], failed["code"]) == ("failed", code)
    assert words in failed["message"]
    assert worker.answer("good")[-1][0]["type"] == "done"


def test_the_test_tone_is_refused_outside_tests() -> None:
    worker = Worker(test_engines=False)
    worker.ask("t", EN, "testtone")

    failed = worker.answer("t")[-1][0]

    assert failed["code"] == "test_engine_off"
    assert worker.close() == (0, b"")


def test_a_running_request_is_cancelled_within_a_few_chunks(worker: Worker) -> None:
    worker.ask("long", "妈妈好。" * 2000)
    worker.read()
    worker.send({"type": "cancel", "request": "long"})

    messages = worker.answer("long")

    assert messages[-1][0]["code"] == "cancelled"
    assert len(samples_of(messages)) < 48_000 * 1000  # of about 2000 s
    worker.ask("next", EN, language="en-US")
    assert worker.answer("next")[-1][0]["type"] == "done"


def test_the_end_of_stdin_ends_the_worker_in_the_middle_of_a_sentence(worker: Worker) -> None:
    worker.ask("long", "妈妈好。" * 2000)
    worker.read()

    status, _ = worker.close()

    assert status == 0


def test_a_broken_stream_ends_the_worker(worker: Worker) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(b"\xff" * 64)
    worker.process.stdin.flush()

    assert worker.close()[0] == 0


def test_first_sound_leaves_a_warm_worker_within_50_ms(worker: Worker) -> None:
    worker.ask("warm", ZH, priority="say")
    worker.answer("warm")
    waits = [1.0]
    while min(waits) >= 0.050 and len(waits) < 100:  # the rest is what a busy machine adds
        before = time.perf_counter()
        worker.ask(str(len(waits)), ZH, priority="say")
        assert worker.read()[0]["type"] == "chunk"
        waits.append(time.perf_counter() - before)
        worker.answer(str(len(waits) - 1))

    assert min(waits) < 0.050


# --- order of work, in this process, with an engine the test steps by hand ------------------------


class SteppedEngine:
    """Gives one chunk for each permit, and notes what it began and what was closed early."""

    sample_rate_hz = 48_000
    timing = "phonemes"
    tagged = False

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.begun: list[str] = []
        self.aborted: list[str] = []
        self.has_begun = threading.Semaphore(0)

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]:
        if request.text == "explode":
            raise ZeroDivisionError("boom")
        self.begun.append(request.text)
        self.has_begun.release()
        try:
            for _ in range(3):
                self.permits.acquire()
                yield SpeechChunk(np.full(960, 9, np.int16), (Timing("phoneme", "a", 0.0),))
        except GeneratorExit:
            self.aborted.append(request.text)
            raise

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]:
        return [(0.0, 10, 1.0)] if timings else []

    def close(self) -> None:
        self.begun.append("closed")


class Session:
    """A worker on a thread of this process, whose engine is stepped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = SteppedEngine()
        monkeypatch.setattr(speech, "_create_engine", self._create)
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self.streams: list[BinaryIO] = [
            os.fdopen(requests, "rb"),
            os.fdopen(self._requests, "wb"),
            os.fdopen(self._answers, "rb"),
            os.fdopen(answers, "wb"),
        ]
        self.worker = speech.SpeechWorker(self.streams[0], self.streams[3])
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()
        assert self.read()["type"] == "ready"

    def _create(self, name: str) -> SpeechEngine:
        return self.engine

    def send(self, header: Json) -> None:
        self.streams[1].write(pack(header))
        self.streams[1].flush()

    def ask(self, text: str, priority: str) -> None:
        voice = {"engine": "stepped", "language": "en-US"}
        header = {"type": "synthesize", "request": text, "text": text, "voice": voice}
        self.send({**header, "priority": priority})

    def read(self) -> Json:
        message = read_message(self.streams[2])
        while message is not None and message[0]["type"] == "begun":
            message = read_message(self.streams[2])
        assert message is not None
        return message[0]

    def ends(self, count: int) -> list[tuple[str, str]]:
        """The next `count` ends of requests as (request, type or failure code)."""
        found: list[tuple[str, str]] = []
        while len(found) < count:
            header = self.read()
            if header["type"] in ("done", "failed"):
                found.append((header["request"], header.get("code", header["type"])))
        return found

    def wait_until_queued(self, request: str) -> None:
        """Until the reading thread has taken this request, and with it all sent before it."""
        waiting = self.worker._queue._waiting
        _wait_for(lambda: any(job.request == request for _, _, job in list(waiting)))

    def finish(self) -> None:
        self.streams[1].close()
        self.engine.permits.release(100)
        self.thread.join(60)
        assert not self.thread.is_alive()
        for stream in self.streams:
            stream.close()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    running = Session(monkeypatch)
    yield running
    running.finish()


def test_the_most_urgent_waiting_request_goes_first(session: Session) -> None:
    session.ask("first", "say")
    assert session.engine.has_begun.acquire(timeout=60)
    for text, priority in (("p", "prefetch"), ("a", "answer"), ("s1", "say"), ("s2", "say")):
        session.ask(text, priority)
    session.send({"type": "cancel", "request": "nobody"})
    session.ask("explode", "say")
    session.wait_until_queued("explode")

    session.engine.permits.release(100)

    assert session.ends(6) == [
        ("first", "done"),
        ("s1", "done"),
        ("s2", "done"),
        ("explode", "engine_crashed"),
        ("a", "done"),
        ("p", "done"),
    ]


def test_a_prefetch_gives_way_and_comes_whole_later(session: Session) -> None:
    session.ask("p", "prefetch")
    assert session.engine.has_begun.acquire(timeout=60)
    session.ask("s", "say")
    session.wait_until_queued("s")
    session.engine.permits.release(10)

    messages = [session.read() for _ in range(12)]

    of = [(header["request"], header["type"]) for header in messages]
    assert session.engine.begun[:3] == ["p", "s", "p"]
    assert session.engine.aborted == ["p"]
    assert [request for request, _ in of] == ["s"] * 6 + ["p"] * 6
    assert [kind for _, kind in of[6:]] == ["chunk", "track", "chunk", "chunk", "track", "done"]


def test_waiting_and_running_requests_are_cancelled(session: Session) -> None:
    session.ask("running", "say")
    assert session.engine.has_begun.acquire(timeout=60)
    session.ask("waiting", "say")
    session.ask("kept", "say")
    session.send({"type": "cancel", "request": "waiting"})
    session.send({"type": "cancel", "request": "running"})
    session.send({"type": "nonsense"})
    session.ask("explode", "say")
    session.wait_until_queued("explode")

    session.engine.permits.release(100)

    assert session.ends(4) == [
        ("running", "cancelled"),
        ("waiting", "cancelled"),
        ("kept", "done"),
        ("explode", "engine_crashed"),
    ]
    assert "waiting" not in session.engine.begun


def test_more_than_64_waiting_requests_are_refused(session: Session) -> None:
    session.ask("running", "say")
    assert session.engine.has_begun.acquire(timeout=60)
    for index in range(65):
        session.ask(str(index), "say")

    assert session.ends(1) == [("64", "too_many_requests")]
    session.engine.permits.release(1000)
    assert len(session.ends(65)) == 65


def test_prints_of_a_library_do_not_reach_the_protocol() -> None:
    code = (
        "import inference.workers.speech as s, os;"
        "sink = s._take_over_stdout();"
        "os.write(1, b'noise'); print('more');"
        "sink.write(b'protocol'); sink.flush()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert done.stdout == b"protocol"
    assert b"noise" in done.stderr


def test_the_worker_ends_when_the_core_reads_no_more(worker: Worker) -> None:
    assert worker.process.stdout is not None
    worker.process.stdout.close()

    worker.ask("a", EN, language="en-US")

    assert worker.process.wait(timeout=60) == 0


def _wait_for(is_true: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
