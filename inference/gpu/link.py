"""A client's connection to a model server: slots are filled, requests sent, answers read."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from inference.engines.base import EngineError, Json
from inference.gpu.wire import (
    HEAR_SLOTS,
    MAX_MESSAGE_BYTES,
    PAINT_SLOTS,
    VERSION,
    Answer,
    Bytes,
    Kind,
    Request,
    Shapes,
    SharedSlots,
    WireError,
    new_socket,
    pack_json,
    pack_requests,
    socket_address,
    unpack_answers,
    unpack_json,
)

# The server answers between two passes.
HELLO_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Presenter:
    """What a client tells of itself. film: the file of its bundle. first_row: as `paste`."""

    engine: str
    version: str
    decoder: str
    frame_samples: int
    first_row: int
    film: Path


class ServerGoneError(Exception):
    """No server is there, or it has ended."""


class ServerLink:
    """An admitted connection; not safe to use from two threads at once."""

    def __init__(self, link: socket.socket, memory: int, shapes: Shapes) -> None:
        self.shapes = shapes
        self._link = link
        # Nobody may have to wait for a server that does not read.
        link.setblocking(False)
        self._poll = select.poll()
        self._poll.register(link, select.POLLIN)
        self._slots = SharedSlots(memory, shapes)
        self._free = {
            Kind.PAINT: list(range(PAINT_SLOTS)),
            Kind.HEAR: list(range(PAINT_SLOTS, PAINT_SLOTS + HEAR_SLOTS)),
        }
        self._kinds: dict[int, Kind] = {}
        self._frames: dict[int, int] = {}
        self._number = 0

    @classmethod
    def connect(cls, path: Path, presenter: Presenter) -> ServerLink:
        """Raises ServerGoneError when nobody answers, EngineError when the presenter is refused."""
        link = new_socket()
        try:
            link.settimeout(HELLO_SECONDS)
            with socket_address(path) as address:
                link.connect(address)
            _say_hello(link, presenter)
            return cls._admitted(link)
        except (OSError, WireError) as error:
            link.close()
            raise ServerGoneError(absence(path)) from error
        except EngineError:
            link.close()
            raise

    @classmethod
    def _admitted(cls, link: socket.socket) -> ServerLink:
        raw, descriptors, _, _ = socket.recv_fds(link, MAX_MESSAGE_BYTES, 1)
        with ExitStack() as opened:
            for descriptor in descriptors:
                opened.callback(os.close, descriptor)
            answer = unpack_json(raw)
            if "refused" in answer:
                refused = answer["refused"]
                is_full = refused["code"] == "gpu_full"
                raise EngineError(refused["code"], refused["message"], retryable=is_full)
            welcome = answer.get("welcome")
            if not isinstance(welcome, dict) or len(descriptors) != 1:
                raise WireError("it is no model server")
            shapes = Shapes(int(welcome["prompt_bytes"]), int(welcome["face_px"]))
            return cls(link, descriptors[0], shapes)

    def fileno(self) -> int:
        return self._link.fileno()

    def paint(self, index: int, prompt: Bytes, due: float) -> int | None:
        """Ask for a face: film frame, features, monotonic seconds. Its number; None: no slot.

        Raises ServerGoneError, as all that is sent.
        """
        slot = self._take(Kind.PAINT)
        if slot is None:
            return None
        self._slots.prompt(slot)[:] = prompt
        return self._ask(Request(Kind.PAINT, slot=slot, due=due, first=index))

    def hear(self, sound: Any, first_token: int, frames: range, due: float) -> int | None:
        """Ask for the features of frames, as a Renderer. Its number; None: no slot is free."""
        slot = self._take(Kind.HEAR)
        if slot is None:
            return None
        self._slots.sound(slot, len(sound))[:] = sound
        request = Request(
            Kind.HEAR,
            frames=len(frames),
            slot=slot,
            samples=len(sound),
            due=due,
            first=first_token,
            frame=frames.start,
        )
        return self._ask(request)

    def withdraw(self, number: int) -> None:
        """Nobody waits for it any more; it is answered all the same."""
        self._send(Request(Kind.WITHDRAW, number=number))

    def say_alive(self) -> None:
        self._send(Request(Kind.ALIVE))

    def receive(self, timeout_seconds: float | None) -> list[Answer]:
        """The next answers, none when the time is over. Raises ServerGoneError."""
        try:
            if timeout_seconds != 0:
                self._poll.poll(None if timeout_seconds is None else timeout_seconds * 1000)
            raw = self._link.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise ServerGoneError(str(error)) from error
        if not raw:
            raise ServerGoneError("it has ended")
        try:
            return unpack_answers(raw)
        except WireError as error:
            raise ServerGoneError(str(error)) from error

    def take_face(self, answer: Answer) -> Bytes:
        """(size, size, 3) of a PAINT that is done: a copy."""
        return self._slots.face(answer.slot).copy()

    def take_features(self, answer: Answer) -> Bytes:
        """(frames, prompt_bytes) of a HEAR that is done: a copy."""
        return self._slots.features(answer.slot, self._frames[answer.number]).copy()

    def release(self, answer: Answer) -> None:
        """What was answered has been taken: the slot can be used again."""
        kind = self._kinds.pop(answer.number, None)
        self._frames.pop(answer.number, None)
        if kind is not None:
            # The last one first: its memory is in the caches.
            self._free[kind].append(answer.slot)

    def interrupt(self) -> None:
        """End it; whoever waits for answers is told."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._link.close()

    def _take(self, kind: Kind) -> int | None:
        free = self._free[kind]
        return free.pop() if free else None

    def _ask(self, request: Request) -> int:
        self._number += 1
        numbered = request._replace(number=self._number)
        self._kinds[self._number] = Kind(request.kind)
        if request.kind == Kind.HEAR:
            self._frames[self._number] = request.frames
        self._send(numbered)
        return self._number

    def _send(self, request: Request) -> None:
        try:
            # One that reads nothing is as good as gone.
            self._link.send(pack_requests([request]))
        except OSError as error:
            raise ServerGoneError(str(error)) from error


def free_share(path: Path) -> float:
    """The share of its device that a server has not given to anybody, as it said last."""
    try:
        return float(_said(path).get("free", 0.0))
    except (TypeError, ValueError):
        return 0.0


def absence(path: Path) -> str:
    """Why no server answers at a path, in words, as its status file tells it."""
    status = _said(path)
    if status.get("state") == "failed":
        return f"The model server cannot load its networks: {status.get('message')}"
    if status.get("state") == "loading" and time.time() - float(status.get("at", 0)) < 600:
        return "The model server is still loading its networks."
    return "The model server of the GPU is not running; see `manage.py doctor`."


def _said(path: Path) -> Json:
    try:
        status = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _say_hello(link: socket.socket, presenter: Presenter) -> None:
    hello = {
        "hello": VERSION,
        "engine": presenter.engine,
        "version": presenter.version,
        "decoder": presenter.decoder,
        "frame_samples": presenter.frame_samples,
        "first_row": presenter.first_row,
    }
    film = os.open(presenter.film, os.O_RDONLY | os.O_CLOEXEC)
    try:
        socket.send_fds(link, [pack_json(hello)], [film])
    finally:
        os.close(film)
