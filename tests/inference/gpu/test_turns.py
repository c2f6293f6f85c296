"""What the server's loop does within a turn, and how soon it turns again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.gpu.painters import FaceOrder, Pass
from inference.gpu.schedule import Timings
from tests.inference.gpu import serving
from tests.inference.gpu.serving import RecordingPainter, Serving, no_prompt, soon


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[Callable[[Any], Serving]]:
    running: list[Serving] = []

    def open_one(painter: Any) -> Serving:
        running.append(Serving(tmp_path, painter))
        return running[-1]

    yield open_one
    for each in running:
        each.close()


@dataclass(frozen=True)
class Unfinished:
    """A pass that does not end."""

    made: Any

    def is_done(self) -> bool:
        return False

    def faces(self) -> Any:
        return self.made


def seconds_of(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_faces_of_a_pass_do_not_wait_until_another_is_begun(
    tmp_path: Path, open_site: Callable[[Any], Serving]
) -> None:
    """To begin one takes as long as a face may be under way."""
    seen: list[int] = []

    class Watching(RecordingPainter):
        def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
            seen.append(len(link.receive(0)))
            return super().start(orders, first_row)

    site = open_site(Watching(sizes=(1,)))
    link = site.connect(serving.presenter(serving.write_latents(tmp_path)))
    for frame in range(4):
        link.paint(frame, no_prompt(), soon())

    site.turn_until(lambda: len(seen) == 4)

    # Two are on the device at once.
    assert seen == [0, 0, 1, 1]


def test_pass_on_the_device_is_looked_at_more_often_than_epoll_can(
    tmp_path: Path, open_site: Callable[[Any], Serving]
) -> None:
    class Slow(RecordingPainter):
        def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
            return Unfinished(super().start(orders, first_row).faces())

    site = open_site(Slow())
    link = site.connect(serving.presenter(serving.write_latents(tmp_path)))
    link.paint(0, no_prompt(), soon())
    site.turn_until(lambda: bool(site.painter.passes))

    # The quickest of many: the machine may be busy, but not always.
    assert min(seconds_of(site.server.turn) for _ in range(200)) < 0.001


@dataclass
class Controlled:
    """A pass that ends when the test says so."""

    made: Any
    is_over: bool = False

    def is_done(self) -> bool:
        return self.is_over

    def faces(self) -> Any:
        return self.made


def test_faces_gather_while_a_pass_is_on_the_device(
    tmp_path: Path, open_site: Callable[[Any], Serving], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that is begun too early is small, and what comes behind it waits for two."""
    begun: list[Controlled] = []

    class Busy(RecordingPainter):
        def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
            begun.append(Controlled(super().start(orders, first_row).faces()))
            return begun[-1]

    monkeypatch.setattr(Timings, "of", lambda *_: 60.0)
    site = open_site(Busy())
    link = site.connect(serving.presenter(serving.write_latents(tmp_path)))
    for frame in range(4):
        link.paint(frame, no_prompt(), soon())
        site.turn_until(lambda: bool(begun))
        site.server.turn(0.01)
    link.hear(np.ones(16_000, np.float32), 0, range(4), soon())

    # Sound is heard beside it all the same.
    site.answers(link, 1)
    assert site.painter.passes == [[0]]
    begun[0].is_over = True
    site.turn_until(lambda: len(begun) == 2)
    assert site.painter.passes == [[0], [1, 2, 3]]


def test_next_pass_is_begun_before_the_device_has_nothing_to_do(
    tmp_path: Path, open_site: Callable[[Any], Serving]
) -> None:
    class Slow(RecordingPainter):
        def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
            return Unfinished(super().start(orders, first_row).faces())

    site = open_site(Slow(pass_seconds=0.05))
    link = site.connect(serving.presenter(serving.write_latents(tmp_path)))
    for frame in range(2):
        link.paint(frame, no_prompt(), soon())
        site.turn_until(lambda: bool(site.painter.passes))

    # The first is not over, as far as is known; it should be by now.
    site.turn_until(lambda: len(site.painter.passes) == 2)
