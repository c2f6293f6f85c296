"""The speech worker: turns sentences into 48 kHz sound and lip tracks, for the media core.

`python -m inference.workers.speech` speaks the messages of `wire.py` on stdin and stdout. One
sentence is spoken at a time, by priority; it ends when its stdin ends, and when an engine hangs:
then the sentence fails with `voice_hangs`, for nothing else frees a thread.

Each `track` holds all that is known so far and replaces the one before. A prefetch answers only
when it is complete, and gives way to anything more urgent by starting again later. Every request
ends with exactly one `done` or `failed`; a cancelled one with `failed`, code `cancelled`.
"""

from __future__ import annotations

import os

# One worker needs no thread pool for its small filters: each costs memory in every broadcast.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import heapq
import importlib
import itertools
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

import numpy as np

from inference.catalog import get_engine
from inference.engines.base import (
    EngineError,
    Samples,
    SpeechChunk,
    SpeechEngine,
    SpeechRequest,
    Timing,
)
from inference.engines.speech.alignment.align import find_lips
from inference.engines.speech.visemes import VisemeTrack
from inference.media.garbage import collect_rarely
from inference.media.resample import OUTPUT_RATE_HZ, Resampler
from inference.workers.standstill import StandstillWatch
from inference.workers.wire import Json, WireError, pack, read_message

log = logging.getLogger(__name__)

PRIORITIES: Final = {"say": 0, "answer": 1, "prefetch": 2}
_PREFETCH: Final = PRIORITIES["prefetch"]
_MINIMUM_CHUNK_SAMPLES: Final = OUTPUT_RATE_HZ // 50  # 20 ms
_TRACK_EVERY_SAMPLES: Final = OUTPUT_RATE_HZ // 2
_MAXIMUM_WAITING: Final = 64  # requests; more are refused, the core never has as many
_HUNG_STATUS: Final = 3  # the exit status after `voice_hangs`


class _GiveWay(Exception):  # noqa: N818 - not an error: a more urgent request has come
    """A prefetch stops for a more urgent request."""


class _Cancelled(Exception):  # noqa: N818 - not an error: the core wants this no more
    """The core wants no more of this request."""


@dataclass(slots=True)
class _Job:
    """One request of the core. cancelled is set by the reading thread."""

    request: str
    engine: str
    priority: int
    speech: SpeechRequest
    cancelled: threading.Event = field(default_factory=threading.Event)


class _Queue:
    """Waiting requests by priority, then by arrival. Capacity 64; what comes beyond is refused."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, _Job]] = []
        self._arrivals = itertools.count()
        self._running: _Job | None = None
        self._is_closed = False

    def add(self, job: _Job) -> bool:
        """Queue a request; False when there is no room."""
        with self._changed:
            if len(self._waiting) >= _MAXIMUM_WAITING:
                return False
            heapq.heappush(self._waiting, (job.priority, next(self._arrivals), job))
            self._changed.notify()
            return True

    def take(self) -> _Job | None:
        """The most urgent request, when there is one; None after the end of input."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._is_closed:
                return None
            self._running = heapq.heappop(self._waiting)[2]
            return self._running

    @property
    def running(self) -> _Job | None:
        """The request that is being served."""
        return self._running

    def cancel(self, request: str) -> None:
        with self._changed:
            jobs = [job for _, _, job in self._waiting]
            if self._running is not None:
                jobs.append(self._running)
            for job in jobs:
                if job.request == request:
                    job.cancelled.set()

    def close(self) -> None:
        """No more input: what runs is stopped, what waits is dropped."""
        with self._changed:
            self._is_closed = True
            if self._running is not None:
                self._running.cancelled.set()
            self._changed.notify()

    def has_more_urgent_than(self, priority: int) -> bool:
        with self._changed:
            return any(
                waiting < priority and not job.cancelled.is_set()
                for waiting, _, job in self._waiting
            )


class SpeechWorker:
    """Reads requests from `source` on a thread and answers on `sink`."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._sink_lock = threading.Lock()
        self._queue = _Queue()
        self._engines: dict[str, SpeechEngine] = {}
        self._watch = StandstillWatch(self._give_up)

    def run(self) -> None:
        """Serve until the end of the input."""
        reader = threading.Thread(target=self._read, name="requests", daemon=True)
        reader.start()
        try:
            self._send({"type": "ready", "pid": os.getpid()})
            while (job := self._queue.take()) is not None:
                self._serve(job)
        except BrokenPipeError:
            log.warning("the media core has gone")
        for engine in self._engines.values():
            engine.close()

    def _read(self) -> None:
        try:
            while (message := read_message(self._source)) is not None:
                self._receive(message[0])
        except (OSError, WireError):
            log.exception("the request stream broke")
        finally:
            self._queue.close()

    def _receive(self, header: Json) -> None:
        if header["type"] == "cancel":
            self._queue.cancel(str(header.get("request")))
            return
        if header["type"] == "ping":
            self._send({"type": "pong"})
            return
        if header["type"] != "synthesize":
            log.warning("unknown message type %s", header["type"])
            return
        try:
            job = _parse_job(header)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"The speech request is not well formed: {error!r}"
            self._fail(str(header.get("request")), EngineError("bad_request", reason))
            return
        self._enqueue(job)

    def _enqueue(self, job: _Job) -> None:
        if not self._queue.add(job):
            self._fail(job.request, EngineError("too_many_requests", "Too many sentences wait."))

    def _serve(self, job: _Job) -> None:
        try:
            self._speak(job)
        except _GiveWay:
            self._enqueue(job)
        except _Cancelled:
            self._fail(job.request, EngineError("cancelled", "Cancelled.", retryable=False))
        except EngineError as error:
            self._fail(job.request, error)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of one request: the next may work
            log.exception("the engine %s crashed", job.engine)
            reason = f"The voice {job.engine} failed: {type(error).__name__}: {error}"
            self._fail(job.request, EngineError("engine_crashed", reason))

    def _speak(self, job: _Job) -> None:
        self._check(job)
        self._send({"type": "begun", "request": job.request})
        with self._watch.expecting():
            engine = self._engine(job.engine)
            chunks = iter(engine.synthesize(job.speech))
        answer = _Answer(job, engine)
        held: list[bytes] = []
        for chunk in self._pull(chunks):
            self._check(job)
            self._deliver(job, answer.push(chunk), held)
        self._deliver(job, answer.finish(), held)
        if held:
            self._write(b"".join(held))

    def _pull(self, chunks: Iterator[SpeechChunk]) -> Iterator[SpeechChunk]:
        """What the engine gives, while it is watched; it is closed whatever happens."""
        try:
            while True:
                with self._watch.expecting():
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                with self._watch.expecting():
                    close()

    def _give_up(self) -> None:
        """The engine hangs, and its thread with it: say so, and make room for another process."""
        job = self._queue.running
        if job is not None:
            log.error("the engine %s hangs", job.engine)
            reason = f"The voice {job.engine} hangs: it neither speaks nor fails."
            self._fail(job.request, EngineError("voice_hangs", reason))
        sys.stderr.flush()
        os._exit(_HUNG_STATUS)

    def _check(self, job: _Job) -> None:
        if job.cancelled.is_set():
            raise _Cancelled
        if job.priority == _PREFETCH and self._queue.has_more_urgent_than(_PREFETCH):
            raise _GiveWay

    def _deliver(self, job: _Job, messages: list[bytes], held: list[bytes]) -> None:
        if job.priority == _PREFETCH:
            held.extend(messages)
            return
        if messages:
            self._write(b"".join(messages))

    def _engine(self, name: str) -> SpeechEngine:
        if name not in self._engines:
            self._engines[name] = _create_engine(name)
        return self._engines[name]

    def _fail(self, request: str, error: EngineError) -> None:
        self._send(
            {
                "type": "failed",
                "request": request,
                "code": error.code,
                "message": error.message,
                "retryable": error.retryable,
            }
        )

    def _send(self, header: Json) -> None:
        self._write(pack(header))

    def _write(self, raw: bytes) -> None:
        with self._sink_lock:
            self._sink.write(raw)
            self._sink.flush()


class _Answer:
    """The messages of one request, made from an engine's chunks."""

    def __init__(self, job: _Job, engine: SpeechEngine) -> None:
        self._job = job
        self._engine = engine
        self._resampler = Resampler(engine.sample_rate_hz)
        self._timings: list[Timing] = []
        # Kept only where lips come from the whole sound: 100 kB for each second.
        self._heard: list[Samples] | None = [] if engine.timing == "none" else None
        self._lips: VisemeTrack | None = None
        self._waiting = np.empty(0, np.int16)
        self._sent_samples = 0
        self._tokens = 0
        self._next_track_at = 0

    def push(self, chunk: SpeechChunk) -> list[bytes]:
        self._timings += chunk.timings
        self._tokens += chunk.tokens
        messages = self._chunks(self._resampler.push(chunk.samples), _MINIMUM_CHUNK_SAMPLES)
        if messages and self._timings and self._sent_samples >= self._next_track_at:
            # Rarer in a long text: each track repeats all that came before.
            step = max(_TRACK_EVERY_SAMPLES, self._sent_samples // 2)
            self._next_track_at = self._sent_samples + step
            messages.append(self._track(is_final=False))
        return messages

    def finish(self) -> list[bytes]:
        messages = self._chunks(self._resampler.finish(), 1)
        self._find_lips()
        self._place_marks()
        messages.append(self._track(is_final=True))
        done = {
            "type": "done",
            "request": self._job.request,
            "samples": self._sent_samples,
            "tokens": self._tokens,
        }
        return [*messages, pack(done)]

    def _chunks(self, samples: Samples, minimum_samples: int) -> list[bytes]:
        self._waiting = np.concatenate((self._waiting, samples))
        if len(self._waiting) < minimum_samples:
            return []
        payload = self._waiting.astype("<i2").tobytes()
        self._sent_samples += len(self._waiting)
        if self._heard is not None:
            self._heard.append(self._waiting)
        self._waiting = np.empty(0, np.int16)
        return [pack({"type": "chunk", "request": self._job.request}, payload)]

    def _find_lips(self) -> None:
        """For engines that time no phonemes: from the text and the whole sound."""
        if not self._heard:
            return
        words = tuple(timing for timing in self._timings if timing.kind == "word")
        sound = np.concatenate(self._heard)
        lips = find_lips(sound, OUTPUT_RATE_HZ, self._job.speech, words)
        self._lips = lips.visemes
        self._timings += lips.words

    def _place_marks(self) -> None:
        """For engines that do not time directives: between the words, or by share of the text."""
        if any(timing.kind == "mark" for timing in self._timings):
            return
        words = [t for t in self._timings if t.kind == "word" and t.position > 0]
        end = max(1, len(self._job.speech.text))
        positions = [0, *(word.position for word in words), end]
        seconds = [0.0, *(w.at_seconds for w in words), self._sent_samples / OUTPUT_RATE_HZ]
        self._timings += [
            Timing("mark", name, float(np.interp(offset, positions, seconds)), offset)
            for offset, name in self._job.speech.directives
        ]

    def _track(self, *, is_final: bool) -> bytes:
        timings = self._timings
        visemes = self._lips
        if visemes is None:
            visemes = self._engine.visemes(timings, self._job.speech.language)
        words = [t for t in timings if t.kind == "word"]
        marks = [t for t in timings if t.kind == "mark"]
        return pack(
            {
                "type": "track",
                "request": self._job.request,
                "visemes": [[round(s, 4), index, weight] for s, index, weight in visemes],
                "words": [[round(t.at_seconds, 4), t.position] for t in words],
                "marks": [[round(t.at_seconds, 4), t.text] for t in marks],
                "final": is_final,
            }
        )


def _parse_job(header: Json) -> _Job:
    """The request in a `synthesize` header. Raises KeyError, TypeError or ValueError."""
    voice = header["voice"]
    directives = tuple((int(offset), str(name)) for offset, name in header.get("directives", ()))
    return _Job(
        request=str(header["request"]),
        engine=_text(voice, "engine"),
        priority=PRIORITIES[header.get("priority", "say")],
        speech=SpeechRequest(
            text=_text(header, "text"),
            language=_text(voice, "language"),
            settings=dict(voice.get("settings", {})),
            emotion=int(header.get("emotion", 3)),
            directives=directives,
            number=int(header.get("number", 0)),
            generation=int(header.get("generation", 0)),
        ),
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _create_engine(name: str) -> SpeechEngine:
    try:
        entry = get_engine("speech", name)
    except LookupError as error:
        raise EngineError("unknown_engine", str(error), retryable=False) from error
    if entry.test_only and os.environ.get("TEST_ENGINES") != "1":
        raise EngineError(
            "test_engine_off", f"The voice {name} is offered only for tests.", retryable=False
        )
    module_name, _, factory_name = entry.factory.partition(":")
    factory = getattr(importlib.import_module(module_name), factory_name)
    return cast("SpeechEngine", factory())


def _take_over_stdout() -> BinaryIO:
    """The original stdout as a stream; whatever a library prints from now on goes to stderr."""
    protocol_fd = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(protocol_fd, "wb")


def main() -> None:
    """Serve one media core until the end of stdin."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sink = _take_over_stdout()
    collect_rarely()
    SpeechWorker(sys.stdin.buffer, sink).run()
    # The reading thread may still sit in read(): ending now keeps shutdown from waiting for it.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
