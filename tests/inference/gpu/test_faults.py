"""What goes wrong over one client of the model server, or on its device, and who pays for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.base import EngineError
from inference.gpu import server as server_module
from inference.gpu.link import ServerGoneError, ServerLink
from inference.gpu.wire import (
    HEAR_SLOTS,
    PAINT_SLOTS,
    Kind,
    Outcome,
    Request,
    new_socket,
    pack_json,
    pack_requests,
    socket_address,
)
from tests.inference.gpu import serving
from tests.inference.gpu.serving import Serving, soon
from tests.inference.gpu.test_server import HELLO, faces_of, paint


@pytest.fixture
def latents(tmp_path: Path) -> Path:
    return serving.write_latents(tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    running = Serving(tmp_path)
    yield running
    running.close()


def test_client_that_hears_more_than_its_share_is_not_served_for_it(
    site: Serving, latents: Path
) -> None:
    """A step of sound costs a device as much as some faces, and may always be due first."""
    mad = site.connect(serving.presenter(latents, frame_samples=48_000))
    outcomes = []
    for _ in range(8):
        for step in range(HEAR_SLOTS):
            assert mad.hear(np.ones(16_000, np.float32), 0, range(step, step + 4), soon())
        for answer in site.answers(mad, HEAR_SLOTS):
            outcomes.append(answer.outcome)
            mad.release(answer)

    assert outcomes[: 4 * HEAR_SLOTS] == [Outcome.DONE] * 4 * HEAR_SLOTS
    assert outcomes.count(Outcome.FAILED) > HEAR_SLOTS


def test_film_of_a_worker_that_is_gone_before_it_is_welcomed_is_let_go(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    link = new_socket()

    def keep(values: Any) -> Any:
        link.close()
        kept.append(len(values))
        return values

    monkeypatch.setattr(site.painter, "keep", keep)
    with socket_address(site.path) as address:
        link.connect(address)
    with latents.open("rb") as file:
        socket.send_fds(link, [pack_json(HELLO)], [file.fileno()])

    site.turn_until(lambda: bool(kept))
    site.turn_until(lambda: not site.server._clients)

    assert len(site.server._films) == 0


def test_film_that_the_device_has_no_memory_for_is_refused_and_the_others_go_on(
    site: Serving, latents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.connect(serving.presenter(latents))
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(site.painter, "keep", _without_memory)

    with pytest.raises(EngineError, match="Stub has no memory left") as refused:
        site.connect(serving.presenter(serving.write_latents(tmp_path / "other")))

    assert (refused.value.code, refused.value.retryable) == ("gpu_full", True)
    paint(good, 3)
    assert faces_of(site, good, 1) == [3]


def test_film_that_takes_long_to_come_holds_up_nobody(
    site: Serving, latents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, loaded, in_time = site.connect(serving.presenter(latents)), threading.Event(), []
    (tmp_path / "other").mkdir()
    other = serving.presenter(serving.write_latents(tmp_path / "other"))

    def keep(values: Any) -> Any:
        in_time.append(loaded.wait(5))
        return values

    monkeypatch.setattr(site.painter, "keep", keep)
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(ServerLink.connect, site.path, other)
        site.turn_until(lambda: site.server.figures()["on_air"] == 2)
        paint(good, 3)
        assert faces_of(site, good, 1) == [3]
        loaded.set()
        site.turn_until(joining.done)

    site.links.append(joining.result())
    paint(joining.result(), 7)
    assert faces_of(site, joining.result(), 1) == [7]
    assert in_time == [True]


def test_client_that_asks_before_it_is_welcome_is_dropped(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = threading.Event()
    monkeypatch.setattr(site.painter, "keep", lambda values: (loaded.wait(5), values)[1])
    link = new_socket()
    with socket_address(site.path) as address:
        link.connect(address)
    with latents.open("rb") as file:
        socket.send_fds(link, [pack_json(HELLO)], [file.fileno()])
    site.turn_until(lambda: site.server.figures()["on_air"] == 1)
    link.send(pack_requests([Request(Kind.HEAR, 4, PAINT_SLOTS, 16_000, 1, soon())]))

    site.turn_until(lambda: not site.server._clients)

    loaded.set()
    assert len(site.server._films) == 0
    link.close()


def test_fault_of_ours_over_one_client_ends_that_client_alone(
    site: Serving, latents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.connect(serving.presenter(latents))
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(site.painter, "keep", {}.__getitem__)

    with pytest.raises(ServerGoneError):
        site.connect(serving.presenter(serving.write_latents(tmp_path / "other")))

    paint(good, 3)
    assert faces_of(site, good, 1) == [3]


def _without_memory(_: Any) -> Any:
    raise MemoryError("CUDA out of memory")


def _broken(_: Any) -> Any:
    raise RuntimeError("CUDA error: unspecified launch failure")


def test_device_that_breaks_while_nobody_is_on_air_is_not_called_full_and_is_given_up(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pass would ever find it out: each film is refused, and the same process stays."""
    monkeypatch.setattr(site.painter, "keep", _broken)

    for _ in range(5):
        assert not site.server.is_hopeless
        with pytest.raises(ServerGoneError):
            site.connect(serving.presenter(latents))

    assert site.server.is_hopeless


class _Broken:
    """A pass over which the device broke: CUDA says so whenever it is asked anything."""

    def is_done(self) -> bool:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def faces(self) -> Any:
        return self.is_done()


def test_pass_that_breaks_on_the_device_fails_its_faces_and_not_the_server(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = site.connect(serving.presenter(latents))
    with monkeypatch.context() as broken:
        broken.setattr(site.painter, "start", lambda *_: _Broken())
        paint(link, 1)
        (answer,) = site.answers(link, 1)
    link.release(answer)

    assert answer.outcome == Outcome.FAILED
    paint(link, 3)
    assert faces_of(site, link, 1) == [3]


def test_server_ends_when_its_device_fails_every_pass(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some faults nothing of a process runs on a GPU any more: another one is started."""
    monkeypatch.setattr(server_module, "_HOPELESS_FAILURES", 2)
    link = site.connect(serving.presenter(latents))

    def painted(frame: int, *, fails: bool) -> None:
        site.painter.fails = fails
        paint(link, frame)
        link.release(site.answers(link, 1)[0])

    for fails in (True, False, True):
        painted(1, fails=fails)
        assert not site.server.is_hopeless
    painted(1, fails=True)

    assert site.server.is_hopeless
    site.server.run()
    assert site.server.figures()["on_air"] == 0
