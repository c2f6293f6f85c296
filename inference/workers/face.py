"""The face worker: draws frames into the core's ring, a little ahead of its clock.

Run as `python -m inference.workers.face`; the messages are listed in `wire.py`. The ring's clock
says which frame is due; a frame that speech, cut or expression changes before it is due is drawn
again. When drawing is slower than the show, frames are skipped, so that what appears is on time.
"""

from __future__ import annotations

import os

# One worker needs no thread pool for its small products: its threads would spin between frames.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import importlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from inference.catalog import get_engine
from inference.engines.base import (
    VISEMES,
    EngineError,
    FaceEngine,
    FaceSetup,
    FaceSpeech,
    PaintedElsewhere,
)
from inference.media.garbage import collect_rarely
from inference.media.ring import LEAD_FRAMES, RingError, RingWriter
from inference.workers import wire

logger = logging.getLogger(__name__)

# While the clock is expected to move, and while it stands still. An interrupt wakes the worker by
# its message, so nothing is lost by sleeping in between.
_POLL_SECONDS: Final = 0.004
_IDLE_POLL_SECONDS: Final = 0.02
# Behind the tick comes the encoder's work: two processes at once take more time than in turn.
_LATE_SECONDS: Final = 0.012
# So many frames are drawn in a row, if there is time: the first costs half as much again as those
# behind it, because it finds every cache cold. The lead then is one to five frames.
_FRAMES_AT_ONCE: Final = (4, 2)
# How much later than expected the clock is believed to move; noticing it late must not add up.
_DRIFT_SECONDS: Final = 0.0005
_SAMPLE_RATE_HZ: Final = 48_000
_MAX_INBOX: Final = 256
_REPORT_SECONDS: Final = 1.0
# Gigabytes of weights from a slow disk take minutes; ten of them are enough.
_LOADING_SECONDS: Final = 5.0
_LOADING_TIMES: Final = 120


_Inbox = queue.Queue[tuple[wire.Json, bytes] | None]


class _BadMessageError(Exception):
    """A message lacks a field or has a wrong one; the text names it."""


@dataclass(slots=True)
class _Stage:
    """What `configure` set up."""

    engine: FaceEngine
    ring: RingWriter
    frame_samples: int

    def close(self) -> None:
        self.engine.close()
        self.ring.close()


class FaceWorker:
    """Holds one engine and one ring; `handle` takes messages, `draw_next` draws what is due."""

    def __init__(self, send: Callable[[wire.Json], None]) -> None:
        self._send = send
        self._stage: _Stage | None = None
        # Frame and generation last drawn into each slot.
        self._drawn: dict[int, tuple[int, int]] = {}
        self._draw_seconds = 0.0
        self._clock = -2
        self._clock_moved_at = 0.0
        # Late frames and trouble of an engine whose faces come from elsewhere.
        self._told: tuple[int, str] = (0, "")
        self._told_at = 0.0

    def handle(self, message: wire.Json, payload: bytes = b"") -> None:
        """Obey one message; what is wrong with it goes back as `failed`.

        payload: of `speech`, its sound.
        """
        try:
            handler = _HANDLERS.get(message["type"])
            if handler is None:
                raise _BadMessageError(f"unknown type {message['type']!r}")
            handler(self, message, payload)
        except EngineError as error:
            self._fail(error.code, error.message, retryable=error.retryable)
        except _BadMessageError as error:
            self._fail("bad_message", f"{message.get('type')}: {error}", retryable=False)
        except (RingError, OSError, ValueError) as error:
            self._fail("ring_failed", f"The frame ring cannot be used: {error}", retryable=True)

    def draw_next(self) -> bool:
        """Draw the earliest frame that is missing or out of date; False if there is none."""
        stage = self._stage
        if stage is None:
            return False
        clock, generation = stage.ring.clock()
        self._note_clock(clock)
        frame = self._missing_frame(stage, clock, generation)
        if frame is None:
            return False
        started = time.monotonic()
        picture = stage.ring.begin_frame(frame)
        stage.engine.render(frame * stage.frame_samples, generation, picture)
        stage.ring.end_frame(frame, generation)
        self._tell_of_faces(stage.engine)
        self._drawn[frame % stage.ring.slots] = (frame, generation)
        self._draw_seconds += 0.2 * (time.monotonic() - started - self._draw_seconds)
        return True

    def seconds_to_wait(self) -> float:
        """When to look at the ring's clock again; a message wakes the worker earlier."""
        if self._stage is None:
            return 1.0
        frame_seconds = self._frame_seconds
        # As many as can be drawn within the time of one.
        possible = (n for n in _FRAMES_AT_ONCE if n * self._draw_seconds < frame_seconds)
        pause_seconds = next(possible, 1) * frame_seconds
        to_go = self._clock_moved_at + pause_seconds + _LATE_SECONDS - time.monotonic()
        if to_go < -2 * frame_seconds:
            return _IDLE_POLL_SECONDS
        return min(max(_POLL_SECONDS, to_go), pause_seconds)

    def close(self) -> None:
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def _tell_of_faces(self, engine: FaceEngine) -> None:
        if not isinstance(engine, PaintedElsewhere):
            return
        now, told = time.monotonic(), (engine.late_frames, engine.trouble)
        if told == self._told or now - self._told_at < _REPORT_SECONDS:
            return
        if told[1] and told[1] != self._told[1]:
            self._fail("faces_away", told[1], retryable=True)
        self._told, self._told_at = told, now
        self._send({"type": "late", "frames": told[0]})

    def _note_clock(self, clock: int) -> None:
        if clock == self._clock:
            return
        frames, self._clock = clock - self._clock, clock
        expected = self._clock_moved_at + frames * self._frame_seconds + _DRIFT_SECONDS
        now = time.monotonic()
        is_steady = 0 < now - expected < self._frame_seconds
        self._clock_moved_at = expected if is_steady else now

    @property
    def _frame_seconds(self) -> float:
        return self._stage.frame_samples / _SAMPLE_RATE_HZ if self._stage else 1.0

    def _missing_frame(self, stage: _Stage, clock: int, generation: int) -> int | None:
        # A frame that takes longer than a frame to draw must be begun that much earlier.
        skipped = min(int(self._draw_seconds / self._frame_seconds), LEAD_FRAMES - 1)
        for frame in range(clock + 1 + skipped, clock + 1 + LEAD_FRAMES):
            if self._drawn.get(frame % stage.ring.slots) != (frame, generation):
                return frame
        return None

    def _redraw_from(self, sample: int) -> None:
        """Forget the frames shown at or after `sample`, so that they are drawn again."""
        stage = self._require_stage()
        # Lips lead the sound and fades look back: a quarter of a second covers every effect.
        first = (sample - _SAMPLE_RATE_HZ // 4) // stage.frame_samples
        self._drawn = {slot: drawn for slot, drawn in self._drawn.items() if drawn[0] < first}

    def _require_stage(self) -> _Stage:
        if self._stage is None:
            raise _BadMessageError("no engine yet, `configure` must come first")
        return self._stage

    def _fail(self, code: str, message: str, *, retryable: bool) -> None:
        logger.warning("face worker: %s: %s", code, message)
        self._send({"type": "failed", "code": code, "message": message, "retryable": retryable})

    def _configure(self, message: wire.Json, payload: bytes) -> None:
        setup = parse_setup(_field(message, "setup", dict))
        with telling(lambda: self._send({"type": "loading"})):
            engine = load_engine(_field(message, "engine", str), setup)
        ring = RingWriter.attach(Path(_field(message, "ring", str)))
        if (ring.width_px, ring.height_px) != (setup.width_px, setup.height_px):
            ring.close()
            raise RingError("its pictures have another size than the setup")
        self.close()
        self._stage = _Stage(engine, ring, setup.frame_samples)
        self._drawn, self._draw_seconds, self._clock = {}, 0.0, -2
        self._told = (0, "")
        self._send({"type": "ready", "pid": os.getpid()})

    def _speech(self, message: wire.Json, payload: bytes) -> None:
        speech, stage = parse_speech(message, payload), self._require_stage()
        # The clock's own frame is taken already.
        known_sample = (stage.ring.clock()[0] + 1) * stage.frame_samples
        stage.engine.start_speech(replace(speech, known_sample=known_sample))
        self._redraw_from(speech.start_sample)

    def _cut(self, message: wire.Json, payload: bytes) -> None:
        at_sample = _field(message, "at_sample", int)
        self._require_stage().engine.cut(at_sample, _field(message, "generation", int))
        self._redraw_from(at_sample)

    def _take_back(self, message: wire.Json, payload: bytes) -> None:
        from_sample = _field(message, "from_sample", int)
        self._require_stage().engine.drop(_field(message, "utterance", str), from_sample)
        self._redraw_from(from_sample)

    def _expression(self, message: wire.Json, payload: bytes) -> None:
        at_sample, name = _field(message, "at_sample", int), _field(message, "name", str)
        emotion = _field(message, "emotion", int)
        self._require_stage().engine.set_expression(name, emotion, at_sample)
        self._redraw_from(at_sample)

    def _gesture(self, message: wire.Json, payload: bytes) -> None:
        at_sample, name = _field(message, "at_sample", int), _field(message, "name", str)
        self._require_stage().engine.play_gesture(name, at_sample)
        self._redraw_from(at_sample)

    def _clip(self, message: wire.Json, payload: bytes) -> None:
        at_sample, name = _field(message, "at_sample", int), _field(message, "name", str)
        self._require_stage().engine.play_clip(name, at_sample)
        self._redraw_from(at_sample)


_HANDLERS: Final[dict[str, Callable[[FaceWorker, wire.Json, bytes], None]]] = {
    "configure": FaceWorker._configure,
    "speech": FaceWorker._speech,
    "cut": FaceWorker._cut,
    "drop": FaceWorker._take_back,
    "expression": FaceWorker._expression,
    "gesture": FaceWorker._gesture,
    "clip": FaceWorker._clip,
}


@contextmanager
def telling(tell: Callable[[], None]) -> Iterator[None]:
    """Say every few seconds that the work inside goes on; not for ever, it may hang."""
    is_done = threading.Event()

    def repeat() -> None:
        for _ in range(_LOADING_TIMES):
            if is_done.wait(_LOADING_SECONDS):
                return
            tell()

    teller = threading.Thread(target=repeat, daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_done.set()
        teller.join()


def load_engine(name: str, setup: FaceSetup) -> FaceEngine:
    """The engine of this name, ready to draw. Raises EngineError."""
    try:
        entry = get_engine("face", name)
    except LookupError as error:
        raise EngineError("unknown_engine", str(error), retryable=False) from error
    module, _, factory = entry.factory.partition(":")
    engine: FaceEngine = getattr(importlib.import_module(module), factory)(setup)
    return engine


def parse_setup(values: wire.Json) -> FaceSetup:
    """The setup of a `configure` message. Raises _BadMessageError naming the wrong field."""
    types: dict[str, type] = {
        "width_px": int, "height_px": int, "frame_samples": int, "framing": str,
        "background": str, "settings": dict, "cache_folder": str,
    }  # fmt: skip
    setup = FaceSetup(**{name: _field(values, name, kind) for name, kind in types.items()})
    if not (16 <= setup.width_px <= 4096 and 16 <= setup.height_px <= 4096):
        raise _BadMessageError("width_px and height_px must lie between 16 and 4096")
    if setup.width_px % 2 or setup.height_px % 2:
        raise _BadMessageError("width_px and height_px must be even")
    if not 1 <= setup.frame_samples <= _SAMPLE_RATE_HZ:
        raise _BadMessageError("frame_samples must lie between 1 and 48000")
    return setup


def parse_speech(values: wire.Json, sound: bytes = b"") -> FaceSpeech:
    """The utterance of a `speech` message. Raises _BadMessageError naming the wrong field."""
    if len(sound) % 2:
        raise _BadMessageError("the sound is cut in the middle of a sample")
    try:
        visemes = tuple((float(s), int(v), float(w)) for s, v, w in values.get("visemes", ()))
        loudness = tuple(float(level) for level in values.get("loudness", ()))
        marks = tuple((float(s), str(name)) for s, name in values.get("marks", ()))
    except (TypeError, ValueError) as error:
        raise _BadMessageError(f"visemes, loudness or marks are malformed: {error}") from error
    if any(not 0 <= viseme < len(VISEMES) for _, viseme, _ in visemes):
        raise _BadMessageError(f"a viseme index is not in 0..{len(VISEMES) - 1}")
    required = {
        item.name: _field(values, item.name, str if item.name == "utterance" else int)
        for item in fields(FaceSpeech)[:4]
    }
    emotion = _field(values, "emotion", int) if "emotion" in values else 3
    return FaceSpeech(
        **required,
        visemes=tuple(sorted(visemes)), loudness=loudness, emotion=emotion, marks=marks,
        samples=np.frombuffer(sound, np.int16) if sound else None,
    )  # fmt: skip


def _field(values: wire.Json, name: str, kind: type) -> Any:
    value = values.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _BadMessageError(f"`{name}` must be of type {kind.__name__}")
    return value


def _read_inbox(stream: BinaryIO, inbox: _Inbox, bell: threading.Event) -> None:
    try:
        while (message := wire.read_message(stream)) is not None:
            inbox.put(message)
            bell.set()
    except wire.WireError as error:
        logger.error("face worker: the message stream is broken: %s", error)
    inbox.put(None)
    bell.set()


def run(stdin: BinaryIO, send: Callable[[wire.Json], None]) -> None:
    """Obey and draw until `stdin` ends."""
    inbox: _Inbox = queue.Queue(_MAX_INBOX)
    bell = threading.Event()
    threading.Thread(target=_read_inbox, args=(stdin, inbox, bell), daemon=True).start()
    worker = FaceWorker(send)
    try:
        while _obey_all(worker, inbox, bell):
            if not worker.draw_next():
                bell.wait(worker.seconds_to_wait())
    finally:
        worker.close()


def _obey_all(worker: FaceWorker, inbox: _Inbox, bell: threading.Event) -> bool:
    """Handle what has arrived; False when the stream has ended."""
    bell.clear()
    while True:
        try:
            message = inbox.get_nowait()
        except queue.Empty:
            return True
        if message is None:
            return False
        worker.handle(*message)


def main() -> None:
    """Speak the wire protocol on stdin and stdout; prints of any library go to stderr."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    collect_rarely()

    def send(header: wire.Json) -> None:
        channel.write(wire.pack(header))

    try:
        run(sys.stdin.buffer, send)
    except BrokenPipeError:
        logger.info("face worker: the core is gone")
    except Exception as error:
        logger.exception("face worker: drawing failed")
        text = f"The presenter could not be drawn: {error}"
        send({"type": "failed", "code": "render_failed", "message": text, "retryable": True})
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
