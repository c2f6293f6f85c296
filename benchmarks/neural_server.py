"""The way to the model server and back: `python -m benchmarks.neural_server`.

50 simulated runners at 25 pictures a second ask one server for faces, and for the features of each
four frames by sending 30 s of sound, over the real sockets and memory. The stub paints nothing, so
what is measured is the hop; with `--pass-ms` it takes time, as a device does, and what counts is
how soon a face is taken after its pass. Beside it, in the same run: a process that sends back what
it gets, and how late this machine wakes one that has nothing to do.

On a GPU, how many broadcasts it holds, with networks of the official sizes and random weights:
    python -m benchmarks.neural_server --networks kl --device cuda
    python -m benchmarks.neural_server --networks tiny --device cuda
and the same with `--own-models`, where each runner has a server to itself, as in local mode.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import importlib
import json
import multiprocessing
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.bare_process import Echo, echo
from benchmarks.figures import Json, Report, percentile, run_benchmark, tell
from inference.engines.base import EngineError
from inference.gpu.admission import patience_seconds
from inference.gpu.link import Presenter, ServerGoneError, ServerLink
from inference.gpu.wire import SOUND_SAMPLES, Outcome

TARGET_MS: Final = 1.0
FRAME_SECONDS: Final = 0.04
FRAME_SAMPLES: Final = 1920
STEP_FRAMES: Final = 4
FILM_FRAMES: Final = 100
# The mouth is below: what MuseTalk's masks leave of a face.
FIRST_ROW: Final = 105
RAMP: Final = (1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80)
LATE_SHARE: Final = 0.01
# Source: `_BUCKETS` in musetalk/local.py, which imports PyTorch.
OWN_BUCKET: Final = 4
_LATENT_PX: Final = {"stub": 2, "kl": 32, "tiny": 32}
_READY_SECONDS: Final = 300.0
_WARM_SECONDS: Final = 1.0


class RefusedError(Exception):
    """The server has no room, or is gone; the text says which."""


@dataclass(slots=True)
class Seen:
    """Milliseconds of what came back, how many were late, and how late the process woke."""

    faces: list[float] = field(default_factory=list)
    sounds: list[float] = field(default_factory=list)
    # Of each face of the stub: until its pass was over, and from then until it was taken.
    there: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    answered: int = 0
    late: int = 0
    missing: int = 0

    def add(self, other: Seen) -> None:
        self.faces += other.faces
        self.sounds += other.sounds
        self.there += other.there
        self.back += other.back
        self.wakes += other.wakes
        self.answered += other.answered
        self.late += other.late
        self.missing += other.missing


class Runner:
    """One broadcast that always speaks."""

    def __init__(self, link: ServerLink, seen: Seen, *, is_heard: bool) -> None:
        self.link = link
        self._is_heard = is_heard
        self.seen = seen
        self._frame = 0
        self._asked: dict[int, tuple[float, bool]] = {}
        self._sound = np.random.default_rng(1).normal(0, 0.1, SOUND_SAMPLES).astype(np.float32)
        self._prompt = np.zeros(link.shapes.prompt_bytes, np.uint8)

    def ask(self) -> None:
        """The next face; with each fourth frame the next step of sound."""
        self._frame += 1
        due = time.monotonic() + patience_seconds(FRAME_SAMPLES)
        if self._is_heard and self._frame % STEP_FRAMES == 0:
            began = time.monotonic()
            frames = range(self._frame, self._frame + STEP_FRAMES)
            self._note(self.link.hear(self._sound, 0, frames, due), began, is_sound=True)
        began = time.monotonic()
        number = self.link.paint(self._frame % FILM_FRAMES, self._prompt, due)
        self._note(number, began, is_sound=False)

    def take(self) -> None:
        for answer in self.link.receive(0):
            began, is_sound = self._asked.pop(answer.number)
            self.seen.answered += 1
            if answer.outcome == Outcome.DONE:
                self._take(answer, began, is_sound=is_sound)
            else:
                self.seen.late += 1
            self.link.release(answer)

    def _take(self, answer: Any, began: float, *, is_sound: bool) -> None:
        taken = (self.link.take_features if is_sound else self.link.take_face)(answer)
        now = time.monotonic()
        took = now - began
        if not is_sound:
            over = float(taken[FIRST_ROW].reshape(-1)[:8].view(np.float64)[0])
            self.seen.there.append((over - began) * 1000)
            self.seen.back.append((now - over) * 1000)
        (self.seen.sounds if is_sound else self.seen.faces).append(took * 1000)
        # It was begun in time and came too late: the picture has gone without it.
        self.seen.late += took > patience_seconds(FRAME_SAMPLES)

    def _note(self, number: int | None, began: float, *, is_sound: bool) -> None:
        if number is None:
            self.seen.missing += 1
        else:
            self._asked[number] = (began, is_sound)


@dataclass(frozen=True, slots=True)
class Load:
    """What runners do: `echo`, `faces`, or `sounds` too; until when all are there they wait."""

    latents: str
    kind: str
    seconds: float
    all_there: Any


def run_runners(sockets: list[str], load: Load, answer_to: Any) -> None:
    """A process of some runners, each at its own moment of a frame; tells what it has seen."""
    presenter = Presenter("musetalk", "v1.5", "kl", FRAME_SAMPLES, FIRST_ROW, Path(load.latents))
    seen, scrap = Seen(), Seen()
    runners: list[Any] = []
    try:
        for path in sockets:
            if load.kind == "echo":
                runners.append(Echo(path, scrap))
            else:
                link = ServerLink.connect(Path(path), presenter)
                runners.append(Runner(link, scrap, is_heard=load.kind == "sounds"))
    except (EngineError, ServerGoneError) as error:
        load.all_there.abort()
        answer_to.send(str(error))
        return
    selector = selectors.DefaultSelector()
    for runner in runners:
        selector.register(runner.link.fileno(), selectors.EVENT_READ, runner)
    try:
        load.all_there.wait()
    except threading.BrokenBarrierError:
        answer_to.send("another one was refused")
        return
    _run(runners, selector, seen, load.seconds)
    answer_to.send(seen)
    answer_to.close()


def _run(runners: list[Any], selector: Any, seen: Seen, seconds: float) -> None:
    """Everybody asks every 40 ms; what is seen in the first second does not count."""
    began = time.monotonic()
    counts_from, ends = began + _WARM_SECONDS, began + _WARM_SECONDS + seconds
    shares = np.random.default_rng(os.getpid()).uniform(0, FRAME_SECONDS, len(runners))
    plan = [(began + share, number) for number, share in enumerate(shares)]
    heapq.heapify(plan)
    while (now := time.monotonic()) < ends:
        if now > counts_from and runners[0].seen is not seen:
            for runner in runners:
                runner.seen = seen
        at, number = plan[0]
        if now >= at:
            heapq.heapreplace(plan, (at + FRAME_SECONDS, number))
            runners[number].ask()
        # A process that is behind takes what has come all the same.
        for key, _ in selector.select(max(0.0, plan[0][0] - time.monotonic())):
            key.data.take()


def measure_wakes(seconds: float) -> list[float]:
    """How much later than asked for an idle process wakes, ms."""
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        at = time.monotonic() + 0.005
        time.sleep(0.005)
        found.append((time.monotonic() - at) * 1000)
    return found


@contextlib.contextmanager
def server(folder: Path, given: argparse.Namespace, number: int) -> Iterator[Path]:
    """A model server process of this benchmark's networks; yields its socket."""
    path = folder / f"{number}.sock"
    what = f"stamps:{given.pass_ms}" if given.networks == "stub" else given.networks
    command = [
        sys.executable, "-m", "benchmarks.weightless_server", what,
        "--socket", str(path), "--device", given.device, "--life-fd", "0",
    ]  # fmt: skip
    if given.own_models:
        # One of its own takes the passes of a face worker: larger ones would only take memory.
        command += ["--max-bucket", str(OWN_BUCKET)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        _wait_until_ready(path, child)
        yield path
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def hold(
    sockets: list[Path], latents: Path, runners: int, seconds: float, *,
    processes: int = 0, kind: str = "sounds",
) -> Seen:  # fmt: skip
    """So many runners for a while, in several processes: as many as there are processors."""
    context = multiprocessing.get_context("spawn")
    processes = min(runners, processes or os.cpu_count() or 2)
    places = [str(sockets[number % len(sockets)]) for number in range(runners)]
    load = Load(str(latents), kind, seconds, context.Barrier(processes))
    children, pipes = [], []
    for number in range(processes):
        receive, send = context.Pipe(duplex=False)
        given = (places[number::processes], load, send)
        children.append(context.Process(target=run_runners, args=given))
        children[-1].start()
        send.close()
        pipes.append(receive)
    told = [pipe.recv() for pipe in pipes]
    for child in children:
        child.join()
    total = Seen()
    for seen in told:
        if isinstance(seen, str):
            raise RefusedError(seen)
        total.add(seen)
    return total


def measure(given: argparse.Namespace) -> Report:
    """The hop with the stub; how many broadcasts are held with networks."""
    if given.device == "cuda" and not importlib.import_module("torch").cuda.is_available():
        raise SystemExit("this machine has no CUDA GPU that PyTorch can use")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        side = _LATENT_PX[given.networks]
        latents = folder / "latents.npy"
        np.save(latents, np.zeros((FILM_FRAMES, 8, side, side), np.float16))
        if given.networks == "stub":
            return _measure_hop(folder, latents, given)
        return _measure_broadcasts(folder, latents, given)


def _measure_hop(folder: Path, latents: Path, given: argparse.Namespace) -> Report:
    report = Report("The hop to the model server, stub network")
    echoed = hold_echo(folder, given)
    with server(folder, given, 0) as path:
        for kind in ("faces", "sounds"):
            tell(f"{given.runners} runners, {kind} …")
            before, cpu, began = _figures(path), _cpu_seconds(path), time.monotonic()
            crowd = hold(
                [path], latents, given.runners, given.seconds,
                processes=given.processes, kind=kind,
            )  # fmt: skip
            busy = (_cpu_seconds(path) - cpu) / (time.monotonic() - began)
            time.sleep(1.1)
            _report_crowd(report, kind, given.runners, crowd)
            size = _faces_in_a_pass(before, _figures(path))
            report.state(f"{kind}: server", f"{busy * 100:.0f} % of a core, {size:.2f} in a pass")
    report.state("30 s of sound there and back: P99", f"{percentile(crowd.sounds, 0.99):.2f} ms")
    report.state("40 bytes to a bare process and back", _spread(echoed.faces))
    report.state("this machine wakes late", _spread(measure_wakes(2.0)))
    report.notes.append("What binds: the wakes of a machine whose processes share so many cores: ")
    report.notes[-1] += f"{os.cpu_count()}. A bare process pays them too."
    report.notes.append("Runners share processes here: one's copy of its sound delays the others.")
    return report


def hold_echo(folder: Path, given: argparse.Namespace) -> Seen:
    """The same runners against a process that does nothing."""
    tell(f"{given.runners} runners, a bare process …")
    path = folder / "echo.sock"
    child = multiprocessing.get_context("spawn").Process(target=echo, args=(str(path),))
    child.start()
    while not path.exists():
        time.sleep(0.01)
    try:
        return hold(
            [path], path, given.runners, given.seconds, processes=given.processes, kind="echo"
        )
    finally:
        child.terminate()
        child.join()


def _report_crowd(report: Report, kind: str, runners: int, crowd: Seen) -> None:
    what = "faces" if kind == "faces" else "faces and 30 s of sound each 160 ms"
    p99 = percentile(crowd.faces, 0.99)
    extra = f"P50 {percentile(crowd.faces, 0.5):.2f}, P95 {percentile(crowd.faces, 0.95):.2f}"
    name = f"{runners} runners, {what}: a face there and back, P99"
    report.at_most(name, p99, TARGET_MS, "ms", f"{extra}, n {len(crowd.faces)}")
    report.at_most(f"{kind}: late or without a slot", crowd.late + crowd.missing, 0, "")
    report.state(f"{kind}: until its pass is over", _spread(crowd.there))
    report.state(f"{kind}: from then until it is taken", _spread(crowd.back))
    report.details[kind] = _deciles(crowd.faces)


def _faces_in_a_pass(before: Json, after: Json) -> float:
    passes = max(1, after["passes"] - before["passes"])
    return float((after["painted"] - before["painted"]) / passes)


def _spread(values: list[float]) -> str:
    middle, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
    return f"P50 {middle:.2f}, P95 {p95:.2f}, P99 {p99:.2f} ms"


def _measure_broadcasts(folder: Path, latents: Path, given: argparse.Namespace) -> Report:
    report = Report(f"Broadcasts of 25 pictures a second, decoder {given.networks}, {given.device}")
    held, paths = 0, list[Path]()
    with contextlib.ExitStack() as servers:
        for runners in RAMP:
            try:
                while len(paths) < (runners if given.own_models else 1):
                    paths.append(servers.enter_context(server(folder, given, len(paths))))
                seen = hold(paths, latents, runners, given.seconds)
            except RefusedError as refusal:
                report.notes.append(f"{runners} broadcasts: {refusal}")
                break
            share = (seen.late + seen.missing) / max(1, seen.answered + seen.missing)
            p99 = percentile(seen.faces, 0.99)
            report.state(
                f"{runners} broadcasts", f"{share * 100:.2f} % late, face P99 {p99:.1f} ms", share
            )
            if share > LATE_SHARE:
                break
            held = runners
        figures = _figures(paths[0]) if paths else {}
    target = 20 if given.networks == "kl" else 60
    report.at_least("broadcasts held, at most 1 % late", held, target, "")
    report.details = {"server": figures}
    report.notes.append(f"Late: not there {patience_seconds(FRAME_SAMPLES) * 1000:.0f} ms after ")
    report.notes[-1] += "it was asked for, when its picture goes; at most 1 % are a P99 of 0 ms."
    report.notes.append(f"{_machine(given.device)}; passes {figures.get('pass_ms')}")
    return report


def _wait_until_ready(path: Path, child: subprocess.Popen[bytes]) -> None:
    """The socket is there a moment before its figures: both are needed."""
    until = time.monotonic() + _READY_SECONDS
    while (said := _status(path)).get("state") != "ready" or not path.exists():
        if child.poll() is not None or time.monotonic() > until:
            raise RefusedError("the model server did not start")
        if said.get("state") == "failed":  # the device has no memory for it, say
            raise RefusedError(said["message"])
        time.sleep(0.05)


def _status(path: Path) -> Json:
    """Nothing while there is none yet."""
    try:
        return _figures(path)
    except (OSError, ValueError):
        return {}


def _machine(device: str) -> str:
    """Of the figures; PyTorch, which takes seconds, only where a GPU is asked about."""
    if device != "cuda":
        return f"{os.cpu_count()} processors"
    stages = importlib.import_module("benchmarks.neural_stages")
    return f"{stages.machine_with_gpu()}, fp16"


def _figures(path: Path) -> Json:
    found: Json = json.loads(path.with_suffix(".json").read_text())
    return found


def _cpu_seconds(path: Path) -> float:
    stat = Path(f"/proc/{_figures(path)['pid']}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _deciles(values: list[float]) -> list[float]:
    return [round(percentile(values, share / 10), 3) for share in range(1, 11)] if values else []


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runners", type=_count, default=50, help="of the stub (50)")
    parser.add_argument("--processes", type=int, default=0, help="that the runners share")
    parser.add_argument("--networks", choices=("stub", "kl", "tiny"), default="stub")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--pass-ms", type=float, default=0.0, help="what the stub takes for one")
    parser.add_argument("--own-models", action="store_true", help="a server for each runner")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    with contextlib.suppress(ServerGoneError):
        sys.exit(
            run_benchmark(
                measure,
                description=(__doc__ or "").partition("\n")[0],
                seconds=10.0,
                add_arguments=_arguments,
            )
        )
