"""A renderer whose networks are in the model server: `Renderer` for a session, without PyTorch.

A thread of its own reads answers, asks for faces as soon as their features are there, and connects
again when the server has ended. Meanwhile promises come to nothing at once, and the session shows
the film.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.musetalk.bundle import Bundle, Pixels
from inference.engines.face.musetalk.engine import own_settings
from inference.engines.face.musetalk.paste import first_shown_row
from inference.engines.face.musetalk.renderer import FacePromise
from inference.engines.face.musetalk.soundtrack import Sound
from inference.gpu.admission import patience_seconds
from inference.gpu.link import Presenter, ServerGoneError, ServerLink, free_share
from inference.gpu.wire import Answer, Bytes, Outcome
from inference.model_servers import networks_of

logger = logging.getLogger(__name__)

ALIVE_SECONDS: Final = 1.0
FIRST_BACK_OFF_SECONDS: Final = 0.1
MAX_BACK_OFF_SECONDS: Final = 2.0
# Frames that are asked for together: what lies ahead within the time that a frame is waited for.
_BATCH_FRAMES: Final = 4
_SAMPLE_RATE_HZ: Final = 48_000
_AWAY: Final = (
    "The model server of the GPU has ended; until it is back the mouth stays as it was filmed."
)


class RemoteFeatures:
    """Features of a step that are being made; frame by frame what `paint` takes."""

    def __init__(self, sound: Sound, first_token: int, frames: range) -> None:
        self.sound: Sound | None = sound
        self.first_token = first_token
        self.frames = frames
        self.values: Bytes | None = None
        # Open in this connection.
        self.asked_of: ServerLink | None = None

    def __getitem__(self, number: int) -> FrameFeatures:
        return FrameFeatures(self, number)


@dataclass(frozen=True, slots=True)
class FrameFeatures:
    """Of one frame: number within the step."""

    step: RemoteFeatures
    number: int

    @property
    def frame(self) -> int:
        return self.step.frames[self.number]


@dataclass(eq=False)
class RemoteFace(FacePromise):
    """A face that the server paints."""

    renderer: RemoteRenderer
    index: int
    features: FrameFeatures
    due: float
    face: Pixels | None = None
    number: int | None = None
    is_wanted: bool = True
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> Pixels | None:
        self.renderer.shown_frame = self.features.frame
        self.ended.wait(max(0.0, self.due - time.monotonic()))
        return self.face

    def withdraw(self) -> None:
        self.is_wanted = False
        self.renderer.withdraw(self)


class RemoteRenderer:
    """`Renderer` over one of the servers of this host."""

    def __init__(self, servers: Sequence[Path], presenter: Presenter) -> None:
        """Connect. Raises EngineError when no server takes the presenter, and says why."""
        self.shown_frame = 0
        self._servers = servers
        self._presenter = presenter
        self._frame_seconds = presenter.frame_samples / _SAMPLE_RATE_HZ
        self._patience = patience_seconds(presenter.frame_samples)
        self._lock = threading.Lock()
        self._steps: dict[int, RemoteFeatures] = {}
        self._faces: dict[int, RemoteFace] = {}
        # Faces whose features are not there yet.
        self._waiting: list[RemoteFace] = []
        self._is_closed = threading.Event()
        self._trouble = _AWAY
        self._link: ServerLink | None = self._connect()
        self._reader = threading.Thread(target=self._read_for_ever, daemon=True)
        self._reader.start()

    def features(self, sound: Sound, first_token: int, frames: range) -> RemoteFeatures:
        """Asks for them; nobody has to wait."""
        step = RemoteFeatures(sound, first_token, frames)
        with self._lock:
            self._guarded(lambda link: self._hear(link, step))
        return step

    def paint(self, indexes: Sequence[int], features: Sequence[FrameFeatures]) -> list[RemoteFace]:
        """Asks for the faces; what another process paints cannot be waited for here."""
        made = [
            RemoteFace(self, index, heard, self._due(heard.frame, features[0].frame))
            for index, heard in zip(indexes, features, strict=True)
        ]
        with self._lock:
            if self._link is None:
                for face in made:
                    face.ended.set()
                return made
            self._waiting += made
            self._guarded(self._send_waiting)
        return made

    def withdraw(self, face: RemoteFace) -> None:
        """Nobody wants a face any more."""
        with self._lock:
            if face in self._waiting:
                self._waiting.remove(face)
            elif face.number in self._faces:
                self._guarded(lambda link: link.withdraw(face.number or 0))

    def warm_up(self) -> None:
        """The server is warm before anybody can connect."""

    def close(self) -> None:
        self._is_closed.set()
        with self._lock:
            if self._link is not None:
                self._link.interrupt()
        self._reader.join(timeout=2 * ALIVE_SECONDS)
        with self._lock:
            self._lose()

    @property
    def batch_frames(self) -> int:
        """How many frames are asked for together: none ahead while nobody would paint them."""
        return _BATCH_FRAMES if self._link is not None else 1

    @property
    def trouble(self) -> str:
        """Why nothing is painted; empty while something is."""
        return "" if self._link is not None else self._trouble

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    def _due(self, frame: int, first: int) -> float:
        """When the clock comes to a frame: drawn are the ones right ahead of it."""
        shown = self.shown_frame if 0 <= frame - self.shown_frame <= 2 * _BATCH_FRAMES else first
        ahead = max(0, frame - shown)
        return time.monotonic() + self._patience + ahead * self._frame_seconds

    # --- with the lock held -------------------------------------------------------------------

    def _guarded(self, work: Callable[[ServerLink], None]) -> None:
        """Do something with the link. One that is gone is found out by the reader."""
        if self._link is None:
            return
        try:
            work(self._link)
        except ServerGoneError as error:
            logger.debug("the model server does not take requests: %s", error)
            self._link.interrupt()

    def _hear(self, link: ServerLink, step: RemoteFeatures) -> None:
        assert step.sound is not None
        # Before the first of its faces.
        due = self._due(max(step.frames.start, self.shown_frame), step.frames.start)
        number = link.hear(step.sound, step.first_token, step.frames, due - self._patience / 2)
        if number is not None:
            step.asked_of = link
            self._steps[number] = step

    def _send_waiting(self, link: ServerLink) -> None:
        """Ask for each face whose features are there; for features that were lost, again."""
        # Should the link break meanwhile, those that were not asked for are lost with the others.
        kept, now = [], time.monotonic()
        for face in self._waiting:
            if face.due < now:
                face.ended.set()
                continue
            step = face.features.step
            if step.values is None:
                if step.asked_of is not link:
                    self._hear(link, step)
                kept.append(face)
                continue
            face.number = link.paint(face.index, step.values[face.features.number], face.due)
            if face.number is None:
                face.ended.set()
            else:
                self._faces[face.number] = face
        self._waiting = kept

    def _take(self, link: ServerLink, answer: Answer) -> None:
        is_done = answer.outcome == Outcome.DONE
        step = self._steps.pop(answer.number, None)
        face = self._faces.pop(answer.number, None)
        if step is not None and is_done:
            step.values, step.sound = link.take_features(answer), None
        elif step is not None:
            self._fail([waiting for waiting in self._waiting if waiting.features.step is step])
            step.asked_of = None
        if face is not None:
            if is_done and face.is_wanted:
                face.face = link.take_face(answer)
            face.ended.set()
        link.release(answer)

    def _fail(self, faces: list[RemoteFace]) -> None:
        self._waiting = [face for face in self._waiting if face not in faces]
        for face in faces:
            face.ended.set()

    def _lose(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link, self._trouble = None, _AWAY
        self._fail([*self._waiting, *self._faces.values()])
        self._faces.clear()
        self._steps.clear()

    # --- the reader ---------------------------------------------------------------------------

    def _read_for_ever(self) -> None:
        back_off = FIRST_BACK_OFF_SECONDS
        while not self._is_closed.is_set():
            link = self._link
            if link is None:
                self._is_closed.wait(back_off)
                back_off = min(2 * back_off, MAX_BACK_OFF_SECONDS)
                self._connect_again()
                continue
            back_off = FIRST_BACK_OFF_SECONDS
            try:
                self._read(link)
            except ServerGoneError as error:
                if not self._is_closed.is_set():
                    logger.warning("the model server is gone: %s", error)
                with self._lock:
                    self._lose()

    def _read(self, link: ServerLink) -> None:
        said_at = 0.0
        while not self._is_closed.is_set():
            if time.monotonic() - said_at >= ALIVE_SECONDS:
                said_at = time.monotonic()
                with self._lock:
                    link.say_alive()
            answers = link.receive(ALIVE_SECONDS)
            if not answers:
                continue
            with self._lock:
                for answer in answers:
                    self._take(link, answer)
                self._send_waiting(link)

    def _connect_again(self) -> None:
        try:
            link = self._connect()
        except EngineError as error:
            logger.info("the model server does not take the presenter yet: %s", error.message)
            if error.code != "model_server_gone":
                self._trouble = error.message
            return
        with self._lock:
            if self._is_closed.is_set():
                link.close()
                return
            self._link = link
        logger.warning("the model server is back")

    def _connect(self) -> ServerLink:
        """The first server that takes the presenter, beginning with the one with most room."""
        refusal: EngineError | None = None
        for path in sorted(self._servers, key=free_share, reverse=True):
            try:
                return ServerLink.connect(path, self._presenter)
            except EngineError as error:
                refusal = error
            except ServerGoneError as error:
                refusal = refusal or EngineError("model_server_gone", str(error))
        raise refusal or EngineError("no_model_server", "No model server is set up.")


def open_renderer(setup: FaceSetup, bundle: Bundle, servers: Sequence[str]) -> RemoteRenderer:
    """For a show. Raises EngineError: no server runs, none has room, or none fits the presenter."""
    own = own_settings(setup.settings)
    engine = bundle.manifest.engine
    version, decoder = networks_of(engine, own.version, own.decoder)
    presenter = Presenter(
        engine=engine,
        version=version,
        decoder=decoder,
        frame_samples=setup.frame_samples,
        first_row=first_shown_row(bundle.film, bundle.manifest.face_px),
        film=bundle.seen_file,
    )
    return RemoteRenderer([Path(server) for server in servers], presenter)
