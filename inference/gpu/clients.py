"""The server's side of one face worker: who it is, its memory, and what it may ask for."""

from __future__ import annotations

import io
import math
import os
import socket
import stat
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from inference.engines.base import Json
from inference.engines.face.musetalk.bundle import MAX_FRAMES, NPY_DAMAGE
from inference.engines.face.musetalk.spans import STEP_FRAMES, TOKEN_SAMPLES
from inference.gpu.painters import FaceOrder, FilmForm, Networks, SoundOrder
from inference.gpu.schedule import Job
from inference.gpu.wire import (
    HEAR_SLOTS,
    PAINT_SLOTS,
    SOUND_SAMPLES,
    STEP_FRAMES_MAX,
    VERSION,
    Answer,
    Kind,
    Outcome,
    Request,
    SharedSlots,
    WireError,
    is_hear_slot,
    pack_answers,
)

# A request may be due so much later, not more: what is never due would never be forgotten.
_FURTHEST_SECONDS: Final = 30.0
# Frames are painted and heard again after interrupts; more than this is no presenter any more.
_RATE_FACTOR: Final = 2.0
# A sentence that comes, goes or is cut changes the steps that are heard already, and those ahead.
_SOUNDS_AT_ONCE: Final = 4 * HEAR_SLOTS
_MAX_NAME: Final = 64
_NPY_HEADER_BYTES: Final = 4096
_READ_BYTES: Final = 1 << 24
# pid, user, group: unix(7).
_CREDENTIALS: Final = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who wants to be painted: checked field by field. first_row: of its faces that is shown."""

    networks: Networks
    frame_samples: int
    first_row: int


@dataclass(slots=True)
class Allowance:
    """How many requests of a kind a client may make yet; it grows with time."""

    left: float
    at: float

    def take(self, now: float, rate: float, most: float) -> bool:
        """Whether one more is granted. rate: a second. most: what may be saved up."""
        self.left, self.at = min(self.left + (now - self.at) * rate, most), now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True, eq=False)
class Client:
    """One connection. hello is None until it has said who it is, slots until it is welcome.

    film: of the server's, which it uses.
    """

    link: socket.socket
    pid: int
    heard_at: float
    faces: Allowance
    sounds: Allowance
    hello: Hello | None = None
    film: Any = None
    slots: SharedSlots | None = None
    load: float = 0.0
    open: dict[int, Job] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    is_gone: bool = False

    def accept(self, request: Request, now: float) -> Job | None:
        """The job of a request, None when it asks for more than its share.

        Raises WireError when it is no request that a face worker makes.
        """
        kind = self._check(request, now)
        if request.slot in self.busy or request.number in self.open:
            raise WireError("a slot or number is in use already")
        job = Job(kind, request.due, self, request)
        self.busy.add(request.slot)
        self.open[request.number] = job
        if not self._is_allowed(kind, now):
            self.answer(job, Outcome.FAILED)
            return None
        return job

    def answer(self, job: Job, outcome: Outcome) -> None:
        """Tell what became of a job, with the next `flush`; its slot is the client's again."""
        request: Request = job.request
        self.open.pop(request.number, None)
        self.busy.discard(request.slot)
        self.answers.append(Answer(outcome, request.slot, request.number))

    def face_order(self, request: Request) -> FaceOrder:
        """What is to be painted for a PAINT that was accepted."""
        assert self.slots is not None
        return FaceOrder(self.film.kept, request.first, self.slots.prompt(request.slot))

    def sound_order(self, request: Request) -> SoundOrder:
        """What is to be heard for a HEAR that was accepted."""
        assert self.slots is not None
        assert self.hello is not None
        sound = self.slots.sound(request.slot, request.samples)
        frames = range(request.frame, request.frame + request.frames)
        return SoundOrder(sound, request.first, frames, self.hello.frame_samples)

    def flush(self) -> None:
        """Send the answers. Raises OSError when it is gone, BlockingIOError when it reads none."""
        while self.answers:
            self.link.send(pack_answers(self.answers[:32]))
            del self.answers[:32]

    def _check(self, request: Request, now: float) -> Kind:
        if not math.isfinite(request.due) or request.due > now + _FURTHEST_SECONDS:
            raise WireError("a request is due at no moment that can be")
        if request.kind == Kind.PAINT:
            if request.slot >= PAINT_SLOTS or not 0 <= request.first < self.film.frames:
                raise WireError("a face is asked for that does not exist")
            return Kind.PAINT
        if request.kind != Kind.HEAR:
            raise WireError(f"there are no requests of kind {request.kind}")
        is_step = 1 <= request.frames <= STEP_FRAMES_MAX
        # Of less than a token no spectrogram can be made: the whole pass would fail with it.
        is_step = is_step and TOKEN_SAMPLES <= request.samples <= SOUND_SAMPLES
        if not is_step or not is_hear_slot(request.slot):
            raise WireError("a sound is longer or shorter than what is heard at once")
        if not (0 <= request.first < 1 << 40 and 0 <= request.frame < 1 << 40):
            raise WireError("a sound lies at no place of the clock")
        return Kind.HEAR

    def _is_allowed(self, kind: Kind, now: float) -> bool:
        """A worker that has gone mad must not take the others' share."""
        assert self.hello is not None
        rate = _RATE_FACTOR * 48_000 / self.hello.frame_samples
        if kind is Kind.PAINT:
            return self.faces.take(now, rate, PAINT_SLOTS + rate)
        rate /= STEP_FRAMES
        return self.sounds.take(now, rate, _SOUNDS_AT_ONCE + rate)


def parse_hello(values: Json) -> Hello:
    """Raises WireError naming the field that is wrong."""
    if values.get("hello") != VERSION:
        raise WireError(f"it speaks version {values.get('hello')!r}, this server {VERSION}")
    networks = Networks(*(_text(values, name) for name in ("engine", "version", "decoder")))
    return Hello(
        networks,
        _number(values, "frame_samples", 1, 48_000),
        _number(values, "first_row", 0, 1023),
    )


def film_key(descriptor: int) -> tuple[int, ...]:
    """What tells one film's file from another. Raises WireError when it is no plain file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise WireError("the film is no plain file")
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def read_film(descriptor: int, form: FilmForm) -> np.ndarray[Any, Any]:
    """(n, *frame) of an open .npy file. Raises WireError.

    It is read, not mapped: a file that is cut short would end the server.
    """
    head = os.pread(descriptor, _NPY_HEADER_BYTES, 0)
    shape, offset = _npy_shape(head, form)
    if shape[1:] != form.frame or not 1 <= shape[0] <= MAX_FRAMES:
        raise WireError(f"a film of shape {shape} is not 1 to {MAX_FRAMES} of {form.frame}")
    values = np.empty(shape, form.dtype)
    # Straight to where it stays, so that other threads go on meanwhile.
    raw = values.reshape(-1).view(np.uint8).data
    while raw:
        count = os.preadv(descriptor, [raw[:_READ_BYTES]], offset)
        if not count:
            raise WireError("the film's file ends too early")
        raw, offset = raw[count:], offset + count
    return values


def new_client(link: socket.socket) -> Client | None:
    """A client of a new connection; None, and the end of it, when it is another user's."""
    raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(raw)
    if user != os.getuid():
        link.close()
        return None
    link.setblocking(False)
    now = time.monotonic()
    faces, sounds = Allowance(PAINT_SLOTS, now), Allowance(_SOUNDS_AT_ONCE, now)
    return Client(link, pid, now, faces, sounds)


def _npy_shape(head: bytes, form: FilmForm) -> tuple[tuple[int, ...], int]:
    """(shape, where the numbers begin) of little-endian numbers in C order."""
    file = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise WireError("the film is written in another way than presenters are")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except NPY_DAMAGE as error:
        raise WireError("the film is no array") from error
    if is_fortran or dtype != np.dtype(form.dtype).newbyteorder("<"):
        raise WireError(f"the film is other numbers than {np.dtype(form.dtype)} in C order")
    return shape, file.tell()


def _text(values: Json, name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        raise WireError(f"`{name}` must be a short text")
    return value


def _number(values: Json, name: str, lowest: int, highest: int) -> int:
    value = values.get(name)
    if type(value) is not int or not lowest <= value <= highest:
        raise WireError(f"`{name}` must lie between {lowest} and {highest}")
    return value
