"""The core's view of the face worker: a ring of pictures, and what the face must follow.

Each worker gets a ring of its own, so that one that hangs or comes back late can write nothing
into pictures of its successor. What is on air is told again to a new worker.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inference.catalog import ENGINES
from inference.engines.base import FaceSetup, FaceSpeech
from inference.media.ring import RingReader, remove_rings, ring_path
from inference.workers.supervisor import WorkerProcess
from inference.workers.wire import Json

# What a new worker must hear again: the line on air and the one behind it, in all their pieces (an
# operator's line of 2,000 characters has at most a hundred), and what networks still hear of those
# that are over.
_REMEMBERED: Final = 512
_KEPT_SAMPLES: Final = 30 * 48_000
# Minutes of sound are more than may wait for a worker: it is told as fast as it reads.
_UNREAD_BYTES: Final = 1 << 20
_READING_SECONDS: Final = 0.02
_HEARING: Final = {entry.name for entry in ENGINES if entry.kind == "face" and entry.needs_audio}


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """A speech as it was told, and its sound for engines that need audio."""

    message: Json
    sound: bytes

    @property
    def end_sample(self) -> int:
        end: int = self.message["start_sample"] + self.message["duration_samples"]
        return end


class FaceClient:
    """Drives one face engine in a worker.

    attach(ring), detach(): called on the loop when a ring can be shown, and before it is closed.
    position(): the next sample to leave the clock.
    """

    def __init__(
        self,
        broadcast: str,
        engine: str,
        setup: FaceSetup,
        *,
        attach: Callable[[RingReader], object],
        detach: Callable[[], object],
        position: Callable[[], int],
        on_state: Callable[[str, int, str], None],
        on_failed: Callable[[str], None],
        test_engines: bool = False,
    ) -> None:
        self._broadcast = broadcast
        self._engine = engine
        self._setup = setup
        self._attach = attach
        self._detach = detach
        self._position = position
        self._report_state = on_state
        self._on_failed = on_failed
        remove_rings(broadcast)
        self._ring: RingReader | None = None
        self._rings = 0
        self._needs_audio = engine in _HEARING
        self._speeches: deque[_Told] = deque(maxlen=_REMEMBERED)
        # Of them, those that the worker has not been told yet.
        self._untold: deque[_Told] = deque(maxlen=_REMEMBERED)
        self._teller: asyncio.TimerHandle | None = None
        self._expression: Json | None = None
        # Of the worker that runs: faces that another process did not paint in time.
        self.late_frames = 0
        self.worker = WorkerProcess(
            "face",
            "inference.workers.face",
            on_message=self._receive,
            on_started=self._started,
            on_state=self._state,
            environment={"TEST_ENGINES": "1"} if test_engines else {},
            first_message=self._configure,
        )

    def speak(self, speech: FaceSpeech) -> None:
        """Follow an utterance (or a piece of it)."""
        silent = dataclasses.asdict(dataclasses.replace(speech, samples=None))
        message = {"type": "speech", **silent}
        is_heard = self._needs_audio and speech.samples is not None
        sound = speech.samples.tobytes() if is_heard and speech.samples is not None else b""
        told = _Told(message, sound)
        heard_from = self._position() - _KEPT_SAMPLES
        self._keep(lambda item: item.end_sample >= heard_from)
        self._speeches.append(told)
        self._untold.append(told)
        self._tell()

    def cut(self, at_sample: int, generation: int) -> None:
        """Nothing older than `generation` is shown from `at_sample` on."""
        self._keep(lambda item: item.message["generation"] >= generation)
        self.worker.send({"type": "cut", "at_sample": at_sample, "generation": generation})

    def drop(self, utterance: str, from_sample: int) -> None:
        """An utterance was taken back before it began, with what was planned to go with it."""
        self._keep(lambda item: not item.message["utterance"].startswith(utterance))
        if self._expression is not None and self._expression["at_sample"] >= from_sample:
            self._expression = None
        self.worker.send({"type": "drop", "utterance": utterance, "from_sample": from_sample})

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        message = {"type": "expression", "name": name, "emotion": emotion, "at_sample": at_sample}
        self._expression = message
        self.worker.send(message)

    def play_gesture(self, name: str, at_sample: int) -> None:
        self.worker.send({"type": "gesture", "name": name, "at_sample": at_sample})

    def play_clip(self, name: str, at_sample: int) -> None:
        self.worker.send({"type": "clip", "name": name, "at_sample": at_sample})

    async def close(self) -> None:
        self._stop_telling()
        await self.worker.close()
        self._drop_ring()

    def _configure(self) -> Json:
        self._drop_ring()
        self._rings += 1
        # The pid keeps a relaunched runner's rings apart from its predecessor's.
        path = ring_path(self._broadcast, os.getpid() * 1000 + self._rings)
        self._ring = RingReader.create(
            path, width_px=self._setup.width_px, height_px=self._setup.height_px
        )
        return {
            "type": "configure",
            "engine": self._engine,
            "setup": dataclasses.asdict(self._setup),
            "ring": str(Path(path)),
        }

    def _started(self) -> None:
        if self._ring is not None:
            self._attach(self._ring)
        if self._expression is not None:
            self.worker.send(self._expression)
        self._untold = self._speeches.copy()
        self._tell()

    def _tell(self) -> None:
        """Tell the worker what it does not know yet, as fast as it reads."""
        if not self.worker.is_ready:
            self._stop_telling()
            return
        while self._untold and self.worker.unread_bytes < _UNREAD_BYTES:
            told = self._untold.popleft()
            self.worker.send(told.message, told.sound)
        if self._untold and self._teller is None:
            self._teller = asyncio.get_running_loop().call_later(_READING_SECONDS, self._tell_on)

    def _tell_on(self) -> None:
        self._teller = None
        self._tell()

    def _stop_telling(self) -> None:
        """A worker that starts is told everything."""
        self._untold.clear()
        if self._teller is not None:
            self._teller.cancel()
            self._teller = None

    def _keep(self, is_kept: Callable[[_Told], bool]) -> None:
        self._speeches = deque(filter(is_kept, self._speeches), _REMEMBERED)
        self._untold = deque(filter(is_kept, self._untold), _REMEMBERED)

    def _state(self, state: str, pid: int, reason: str) -> None:
        if state != "started":
            self._stop_telling()
            self._drop_ring()
        self._report_state(state, pid, reason)

    def _receive(self, header: Json, payload: bytes) -> None:
        if header["type"] == "failed":
            self._on_failed(str(header.get("message", "the presenter cannot be drawn")))
        elif header["type"] == "late":
            self.late_frames = int(header["frames"])

    def _drop_ring(self) -> None:
        if self._ring is not None:
            self._detach()
            self._ring.unlink()
            self._ring.close()
            self._ring = None
