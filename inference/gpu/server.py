"""The server's one loop: it reads what clients ask, starts passes, and hands faces over.

While a pass runs on the GPU requests gather, and the next pass takes those that are due first. So
passes grow with the load by themselves, and a lone broadcast waits for nobody. The next one is
begun shortly before the one on the GPU should be over, which so never waits for this process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from inference.engines.base import Json
from inference.gpu import admission
from inference.gpu.clients import (
    Client,
    Hello,
    new_client,
    parse_hello,
)
from inference.gpu.figures import Counters, Load
from inference.gpu.films import Films, Loaded
from inference.gpu.painters import Networks, Painter
from inference.gpu.schedule import LOOK_SECONDS, Flight, Flights, Job, JobQueue, Timings
from inference.gpu.waiting import FineSelector
from inference.gpu.wire import (
    MAX_MESSAGE_BYTES,
    Kind,
    Outcome,
    Request,
    SharedSlots,
    WireError,
    make_memory,
    pack_json,
    unpack_json,
    unpack_requests,
)
from inference.model_servers import FULL_LOAD

logger = logging.getLogger(__name__)

REPORT_SECONDS: Final = 1.0
# A stopped or hung worker gives its room back after this long.
SILENT_SECONDS: Final = 10.0
HELLO_SECONDS: Final = 5.0
# So many passes that fail one after the other are no accident: after some faults of the driver
# nothing of a process runs on the device any more, and only another process helps.
_HOPELESS_FAILURES: Final = 50
# A film that cannot be kept weighs as so many passes: where nobody is on air it is all there is.
_FILM_FAILURES: Final = 10
_MAX_CLIENTS: Final = 256
_MESSAGES_AT_ONCE: Final = 16
# What `room` is told for: the rate of most profiles.
_USUAL_FRAME_SAMPLES: Final = 1920


class ModelServer:
    """Paints for every client of a listening socket. report: told the figures once a second."""

    def __init__(
        self,
        listener: socket.socket,
        painter: Painter,
        networks: Networks,
        report: Callable[[Json], None],
    ) -> None:
        self.counters = Counters()
        self._painter = painter
        self._networks = networks
        self._report = report
        faces, sounds = painter.measure()
        self._timings = {Kind.PAINT: Timings(faces), Kind.HEAR: Timings(sounds)}
        self._queue = JobQueue()
        self._flights = Flights()
        self._films = Films(painter)
        self._clients: set[Client] = set()
        self._plan_passes()
        self._load = Load()
        self._last_load = 0.0
        self._done_at = 0.0
        self._reported_at = 0.0
        self._is_ended = False
        self._failures = 0
        self._listener = listener
        listener.setblocking(False)
        self._selector = FineSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept_next)
        self._selector.register(self._films, selectors.EVENT_READ, self._welcome_waiting)

    @property
    def is_hopeless(self) -> bool:
        """Whether the device fails every pass: another process may have more luck."""
        return self._failures >= _HOPELESS_FAILURES

    def end_on(self, life_fd: int) -> None:
        """End with the pipe's other end."""

        def end() -> None:
            self._is_ended = True

        self._selector.register(life_fd, selectors.EVENT_READ, end)

    def run(self) -> None:
        """Until the life pipe ends, or the device is of no use any more."""
        while not self._is_ended and not self.is_hopeless:
            self.turn()
        for client in list(self._clients):
            self._drop(client, "the server ends")

    def close(self) -> None:
        """Behind its last turn."""
        self._selector.close()
        self._films.close()

    def turn(self, at_most_seconds: float = REPORT_SECONDS) -> None:
        """Read what has come, start what fits, hand over what is done."""
        for key, _ in self._selector.select(min(at_most_seconds, self._seconds_to_wait())):
            key.data()
        self._start_passes()
        while (flight := self._flights.next_over()) is not None:
            self._deliver(flight)
            # Before the next pass is begun, which takes its time: another one is on the device.
            self._flush_all()
            self._start_passes()
        self._flush_all()
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._look_around(time.monotonic())

    def figures(self) -> Json:
        """What an operator wants to know. room: broadcasts of 25 pictures a second that fit yet."""
        usual = self._plan(_USUAL_FRAME_SAMPLES)
        taken = sum(client.load for client in self._clients)
        faces = self._timings[Kind.PAINT].seconds
        return {
            "device": self._painter.device,
            "engine": self._networks.engine,
            "version": self._networks.version,
            "decoder": self._networks.decoder,
            "load": round(self._last_load, 3),
            "reserved": round(taken, 3),
            "free": max(0.0, FULL_LOAD - taken),
            "on_air": sum(client.hello is not None for client in self._clients),
            "fits": usual.fits,
            "room": max(0, int((FULL_LOAD - taken + 1e-9) / usual.load)),
            "load_each": usual.load,
            "frame_ms": round(faces[usual.paint] / usual.paint * 1000, 3),
            "pass_faces": usual.paint,
            "pass_ms": {str(size): round(took * 1000, 3) for size, took in faces.items()},
            "sound_ms": {
                str(size): round(took * 1000, 3)
                for size, took in self._timings[Kind.HEAR].seconds.items()
            },
            **{name: getattr(self.counters, name) for name in Counters.__slots__},
        }

    # --- clients ------------------------------------------------------------------------------

    def _accept_next(self) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:  # it has gone again
            return
        client = new_client(link)
        if client is None:
            return
        if len(self._clients) >= _MAX_CLIENTS:
            link.close()
            return
        self._clients.add(client)
        self._selector.register(link, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: Client) -> None:
        try:
            for _ in range(_MESSAGES_AT_ONCE):
                if client.is_gone:
                    return
                if client.hello is None:
                    self._read_hello(client)
                    continue
                raw = client.link.recv(MAX_MESSAGE_BYTES)
                if not raw:
                    self._drop(client, "it has gone")
                    return
                if client.slots is None:
                    raise WireError("it asks before it is welcome")
                self._obey(client, unpack_requests(raw))
        except BlockingIOError:
            return
        except WireError as error:
            logger.warning("a client is dropped: %s", error)
            self._drop(client, str(error))
        except OSError as error:
            self._drop(client, str(error))
        except Exception:  # noqa: BLE001 - the edge of a client: whatever it sent, the others go on
            logger.exception("a client is dropped")
            self._drop(client, "what it sent could not be dealt with")

    def _obey(self, client: Client, requests: list[Request]) -> None:
        now = time.monotonic()
        client.heard_at = now
        for request in requests:
            if request.kind == Kind.ALIVE:
                continue
            if request.kind == Kind.WITHDRAW:
                self._withdraw(client, request.number)
                continue
            job = client.accept(request, now)
            if job is None:
                self.counters.failed += 1
            else:
                self._queue.add(job)

    def _withdraw(self, client: Client, number: int) -> None:
        """What is being painted comes all the same; nobody looks at it."""
        job = client.open.get(number)
        if job is not None and self._queue.withdraw(job):
            client.answer(job, Outcome.WITHDRAWN)

    def _read_hello(self, client: Client) -> None:
        raw, descriptors, flags, _ = socket.recv_fds(client.link, MAX_MESSAGE_BYTES, 1)
        try:
            if not raw:
                self._drop(client, "it has gone")
                return
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(descriptors) != 1:
                raise WireError("a hello is one message with one open file")
            hello = parse_hello(unpack_json(raw))
            refusal = self._refusal(hello)
            if refusal is not None:
                self._refuse(client, *refusal)
                return
            self._admit(client, hello, descriptors[0])
        except WireError as error:
            self._refuse_hello(client, error)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _refusal(self, hello: Hello) -> tuple[str, str] | None:
        if hello.networks != self._networks:
            text = f"This presenter needs {hello.networks}; the model server runs {self._networks}."
            return "other_networks", text
        own = self._plan(hello.frame_samples)
        on_air = [client for client in self._clients if client.hello is not None]
        free = FULL_LOAD - sum(client.load for client in on_air)
        device = self._painter.device
        reason = admission.refusal(device, own, hello.frame_samples, len(on_air), free)
        return ("gpu_full", reason) if reason is not None else None

    def _admit(self, client: Client, hello: Hello, film: int) -> None:
        """Its share of the device is its own from here on; it is welcome when its film is here."""
        if hello.first_row >= self._painter.shapes.face_px:
            raise WireError("`first_row` lies below the face")
        client.film = self._films.take(film)
        client.load, client.hello = self._plan(hello.frame_samples).load, hello
        self._plan_passes()
        if client.film.kept is not None:
            self._welcome(client)

    def _welcome_waiting(self) -> None:
        for loaded in self._films.collect():
            for client in [each for each in self._clients if each.film is loaded.film]:
                if client.slots is None:
                    self._settle(client, loaded)

    def _settle(self, client: Client, loaded: Loaded) -> None:
        try:
            if loaded.error is not None:
                raise loaded.error
            self._welcome(client)
        except WireError as error:
            self._refuse_hello(client, error)
        except MemoryError:
            # The networks are loaded, so it is the film: those that are on air go on.
            logger.exception("a film is not kept")
            self._refuse(client, "gpu_full", admission.no_memory(self._painter.device))
        except RuntimeError:
            # It comes again, to this process or, when passes fail too, to another one.
            logger.exception("the device does not take a film")
            self._failures += _FILM_FAILURES
            self._drop(client, "the device does not take its film")
        except OSError as error:
            self._drop(client, str(error))
        except Exception:  # noqa: BLE001 - as in `_read`
            logger.exception("a client is dropped")
            self._drop(client, "its film could not be dealt with")

    def _welcome(self, client: Client) -> None:
        shapes = self._painter.shapes
        memory = make_memory(shapes)
        try:
            welcome = {"prompt_bytes": shapes.prompt_bytes, "face_px": shapes.face_px}
            socket.send_fds(client.link, [pack_json({"welcome": welcome})], [memory])
            client.slots = SharedSlots(memory, shapes)
        finally:
            os.close(memory)
        client.heard_at = time.monotonic()
        logger.info("a broadcast joins", extra={"worker_pid": client.pid})

    def _refuse_hello(self, client: Client, error: WireError) -> None:
        self._refuse(client, "bad_hello", f"The model server was not understood: {error}.")

    def _refuse(self, client: Client, code: str, text: str) -> None:
        self.counters.refused += 1
        with contextlib.suppress(OSError):
            client.link.send(pack_json({"refused": {"code": code, "message": text}}))
        self._drop(client, text)

    def _drop(self, client: Client, reason: str) -> None:
        """Forget a client; its memory goes when the last pass for it is done."""
        if client.is_gone:
            return
        client.is_gone = True
        self._selector.unregister(client.link)
        client.link.close()
        self._clients.discard(client)
        self._queue.forget(client)
        client.slots = None
        if client.hello is not None:
            self.counters.dropped_clients += 1
            logger.info("a broadcast leaves", extra={"worker_pid": client.pid, "reason": reason})
        if client.film is not None:
            self._films.let_go(client.film)
            client.film = None

    def _flush_all(self) -> None:
        for client in [client for client in self._clients if client.answers]:
            self._flush(client)

    def _flush(self, client: Client) -> None:
        try:
            client.flush()
        except BlockingIOError:
            self._drop(client, "it does not read its answers")
        except OSError as error:
            self._drop(client, str(error))

    # --- passes -------------------------------------------------------------------------------

    def _start_passes(self) -> None:
        while len(self._queue):
            now = time.monotonic()
            kinds = self._flights.kinds_to_begin(now)
            jobs, late = self._queue.take(now, self._timings, self._largest, kinds)
            for job in late:
                job.client.answer(job, Outcome.LATE)
                self.counters.late += 1
            if not jobs:
                return
            begin = self._begin_faces if jobs[0].kind is Kind.PAINT else self._hear
            try:
                begin(jobs, now)
            except RuntimeError:
                # Out of the device's memory, say. One pass is lost, the broadcasts are not.
                logger.exception("a pass failed")
                self._fail(jobs)

    def _begin_faces(self, jobs: list[Job], now: float) -> None:
        first_row = min(job.client.hello.first_row for job in jobs)
        orders = [job.client.face_order(job.request) for job in jobs]
        # Of a processor: that this process had to wait for one says nothing of the next time.
        before, seconds = time.thread_time(), self._timings[Kind.PAINT].of(len(jobs))
        work = self._painter.start(orders, first_row)
        begin_seconds = time.thread_time() - before
        self._flights.add(Flight(jobs, now, first_row, work, seconds, begin_seconds))

    def _hear(self, jobs: list[Job], now: float) -> None:
        orders = [job.client.sound_order(job.request) for job in jobs]
        for job, features in zip(jobs, self._painter.hear(orders), strict=True):
            job.client.slots.features(job.request.slot, job.request.frames)[:] = features
            job.client.answer(job, Outcome.DONE)
        self._failures = 0
        self.counters.heard += len(jobs)
        self._note(Kind.HEAR, len(jobs), time.monotonic() - now)

    def _deliver(self, flight: Flight) -> None:
        try:
            made = flight.work.faces()
        except RuntimeError:
            logger.exception("a pass failed")
            self._fail(flight.jobs)
            return
        for job, face in zip(flight.jobs, made, strict=True):
            client: Client = job.client
            if client.is_gone or client.slots is None or client.hello is None:
                continue
            first = client.hello.first_row
            client.slots.face(job.request.slot)[first:] = face[first - flight.first_row :]
            client.answer(job, Outcome.DONE)
        now = time.monotonic()
        self._failures = 0
        self.counters.painted += len(flight.jobs)
        self.counters.passes += 1
        self._note(Kind.PAINT, len(flight.jobs), now - max(flight.started_at, self._done_at))
        self._done_at = now

    def _fail(self, jobs: list[Job]) -> None:
        self._failures += 1
        self.counters.failed += len(jobs)
        for job in jobs:
            if not job.client.is_gone:
                job.client.answer(job, Outcome.FAILED)

    def _note(self, kind: Kind, jobs: int, seconds: float) -> None:
        bucket = min(size for size in self._timings[kind].seconds if size >= jobs)
        self._timings[kind].note(bucket, seconds)
        self._load.busy_seconds += seconds

    def _plan_passes(self) -> None:
        """The largest passes that are quick enough for the most hurried broadcast."""
        shortest = min(
            (client.hello.frame_samples for client in self._clients if client.hello is not None),
            default=_USUAL_FRAME_SAMPLES,
        )
        own = self._plan(shortest)
        self._largest = {Kind.PAINT: own.paint, Kind.HEAR: own.hear}

    def _plan(self, frame_samples: int) -> admission.Plan:
        return admission.plan(self._timings[Kind.PAINT], self._timings[Kind.HEAR], frame_samples)

    # --- reports ------------------------------------------------------------------------------

    def _seconds_to_wait(self) -> float:
        if len(self._flights):
            return LOOK_SECONDS
        if len(self._queue):
            return 0.0
        return max(0.0, self._reported_at + REPORT_SECONDS - time.monotonic())

    def _look_around(self, now: float) -> None:
        for client in list(self._clients):
            limit = HELLO_SECONDS if client.hello is None else SILENT_SECONDS
            if now - client.heard_at > limit:
                self._drop(client, "nothing is heard of it")
        for timings in self._timings.values():
            timings.relax()
        self._plan_passes()
        self._last_load = self._load.take(now)
        self._reported_at = now
        self._report(self.figures())
