"""The model server as its clients meet it: one pass for all, and nobody's fault is another's."""

from __future__ import annotations

import io
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.base import EngineError
from inference.gpu import server as server_module
from inference.gpu.link import ServerLink
from inference.gpu.wire import (
    PAINT_SLOTS,
    Kind,
    Outcome,
    Request,
    new_socket,
    pack_json,
    pack_requests,
    socket_address,
    unpack_json,
)
from tests.inference.gpu import serving
from tests.inference.gpu.serving import RecordingPainter, Serving, no_prompt, soon

HELLO = {
    "hello": 1, "engine": "stub", "version": "v1.5", "decoder": "kl", "frame_samples": 1920,
    "first_row": 0,
}  # fmt: skip


@pytest.fixture
def latents(tmp_path: Path) -> Path:
    return serving.write_latents(tmp_path)


@pytest.fixture
def open_site() -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def open_one(folder: Path, painter: Any = None) -> Serving:
        running.append(Serving(folder, painter))
        return running[-1]

    yield open_one
    for each in running:
        each.close()


@pytest.fixture
def site(tmp_path: Path, open_site: Callable[..., Serving]) -> Serving:
    return open_site(tmp_path)


def paint(link: ServerLink, *frames: int, due: float | None = None) -> list[int]:
    numbers = [link.paint(frame, no_prompt(), due or soon()) for frame in frames]
    assert None not in numbers
    return [number for number in numbers if number is not None]


def faces_of(site: Serving, link: ServerLink, count: int) -> list[int]:
    """The film frames of the next faces, as the stub writes them."""
    found = []
    for answer in site.answers(link, count):
        assert answer.outcome == Outcome.DONE
        found.append(int(link.take_face(answer)[-1, -1, -1]))
        link.release(answer)
    return found


def test_faces_of_all_broadcasts_are_painted_in_one_pass_earliest_first(
    site: Serving, latents: Path
) -> None:
    first, second = (site.connect(serving.presenter(latents)) for _ in range(2))
    now = soon()
    for frame in range(4):
        paint(first, frame, due=now + 0.2 * frame)
        paint(second, 10 + frame, due=now + 0.2 * frame + 0.1)
    paint(second, 30, due=now - 1)

    got = [faces_of(site, first, 4), faces_of(site, second, 5)]

    assert site.painter.passes[0] == [30, 0, 10, 1, 11, 2, 12, 3, 13]
    assert got == [[0, 1, 2, 3], [30, 10, 11, 12, 13]]


def test_sound_comes_back_as_features_of_each_frame(site: Serving, latents: Path) -> None:
    link = site.connect(serving.presenter(latents))
    link.hear(np.ones(480_000, np.float32), 0, range(8, 12), soon())

    (answer,) = site.answers(link, 1)

    assert answer.outcome == Outcome.DONE
    assert link.take_features(answer).shape == (4, link.shapes.prompt_bytes)


def test_rows_that_nobody_sees_are_not_brought(site: Serving, latents: Path) -> None:
    """Each client gets its own rows, whoever shares the pass."""
    whole = site.connect(serving.presenter(latents))
    lower = site.connect(serving.presenter(latents, first_row=10))
    paint(whole, 7)
    paint(lower, 9)

    (answer,) = site.answers(lower, 1)
    face = lower.take_face(answer)

    assert site.painter.passes == [[7, 9]]
    assert (face[:10] == 0).all()
    assert (face[10:] == 9).all()


def test_what_is_withdrawn_is_not_painted(site: Serving, latents: Path) -> None:
    """An interrupt: faces of the old generation make room for the new one's."""
    link = site.connect(serving.presenter(latents))
    old = paint(link, 1, 2, 3)
    for number in old:
        link.withdraw(number)
    paint(link, 4)

    answers = site.answers(link, 4)

    assert site.painter.passes == [[4]]
    assert [answer.outcome for answer in answers] == [Outcome.WITHDRAWN] * 3 + [Outcome.DONE]


def test_face_that_is_due_already_is_told_late(site: Serving, latents: Path) -> None:
    link = site.connect(serving.presenter(latents))
    paint(link, 1, due=time.monotonic() - 0.001)
    paint(link, 2)

    outcomes = [answer.outcome for answer in site.answers(link, 2)]

    assert outcomes == [Outcome.LATE, Outcome.DONE]
    assert site.server.figures()["late"] == 1


def test_pass_that_fails_costs_its_faces_and_no_broadcast(site: Serving, latents: Path) -> None:
    link = site.connect(serving.presenter(latents))
    site.painter.fails = True
    paint(link, 1)
    assert site.answers(link, 1)[0].outcome == Outcome.FAILED
    site.painter.fails = False
    paint(link, 2)

    assert site.answers(link, 1)[0].outcome == Outcome.DONE


def test_broadcast_that_does_not_fit_is_refused_in_words_and_fits_when_another_ends(
    tmp_path: Path, latents: Path, open_site: Callable[..., Serving]
) -> None:
    site = open_site(tmp_path, RecordingPainter(sizes=(1,), pass_seconds=0.25))
    slow = serving.presenter(latents, frame_samples=48_000)
    links = [site.connect(slow) for _ in range(3)]

    with pytest.raises(EngineError) as refused:
        site.connect(slow)

    assert (refused.value.code, refused.value.retryable) == ("gpu_full", True)
    assert "carries 3 broadcasts of 1 pictures a second, and 3 are on" in refused.value.message
    links[0].close()
    site.turn_until(lambda: site.server.figures()["on_air"] == 2)
    site.connect(slow)


def test_presenter_of_other_networks_is_refused_by_name(site: Serving, latents: Path) -> None:
    with pytest.raises(EngineError, match="needs stub v1 with the decoder kl") as refused:
        site.connect(serving.presenter(latents, version="v1"))

    assert not refused.value.retryable


def test_room_of_a_client_that_goes_is_free_at_once(site: Serving, latents: Path) -> None:
    link = site.connect(serving.presenter(latents))
    other = site.connect(serving.presenter(latents))
    paint(link, 1, 2, 3)
    paint(other, 5)
    link.close()

    assert faces_of(site, other, 1) == [5]
    site.turn_until(lambda: site.server.figures()["on_air"] == 1)
    assert site.server.figures()["reserved"] < 2 * site.server.figures()["load_each"]


def test_client_that_says_nothing_gives_its_room_back(
    site: Serving, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process holds its connection open and says nothing for ever."""
    monkeypatch.setattr(server_module, "SILENT_SECONDS", 0.2)
    site.connect(serving.presenter(latents))

    site.turn_until(lambda: site.server.figures()["on_air"] == 0)

    assert site.server.figures()["dropped_clients"] == 1


def test_client_that_asks_for_more_than_its_share_is_not_painted_for_it(
    site: Serving, latents: Path
) -> None:
    mad = site.connect(serving.presenter(latents, frame_samples=48_000))
    outcomes = []
    for _ in range(5):
        paint(mad, *range(PAINT_SLOTS))
        for answer in site.answers(mad, PAINT_SLOTS):
            outcomes.append(answer.outcome)
            mad.release(answer)

    assert outcomes[:PAINT_SLOTS] == [Outcome.DONE] * PAINT_SLOTS
    assert outcomes.count(Outcome.FAILED) > 2 * PAINT_SLOTS


def test_memory_cannot_be_shrunk_under_the_server(site: Serving, latents: Path) -> None:
    link = _greeted(site, pack_json(HELLO), latents)
    _, descriptors, _, _ = socket.recv_fds(link, 4096, 1)

    with pytest.raises(PermissionError):
        os.ftruncate(descriptors[0], 0)
    os.close(descriptors[0])
    link.close()


def test_reports_tell_load_room_and_time_of_a_face(site: Serving, latents: Path) -> None:
    link = site.connect(serving.presenter(latents))
    paint(link, 1)
    site.answers(link, 1)

    site.turn_until(lambda: len(site.reports) > 1)

    told = site.reports[-1]
    assert told["on_air"] == 1
    assert told["room"] < told["fits"]
    assert {"device", "load", "frame_ms", "pass_ms", "painted"} <= set(told)


# --- what no face worker sends --------------------------------------------------------------


def _request(**values: Any) -> bytes:
    known = {"kind": Kind.PAINT, "slot": 1, "number": 1, "due": time.monotonic() + 1}
    return pack_requests([Request(**{**known, **values})])


HOSTILE: dict[str, Callable[[], bytes]] = {
    "no record": lambda: b"GET / HTTP/1.1\r\n\r\n",
    "half a record": lambda: _request()[:-1],
    "too many records": lambda: _request() * 65,
    "unknown kind": lambda: _request(kind=99),
    "slot outside": lambda: _request(slot=60_000),
    "sound into a face": lambda: _request(kind=Kind.HEAR, slot=1, frames=4, samples=1),
    "frame outside": lambda: _request(first=serving.FRAMES),
    "negative frame": lambda: _request(first=-1),
    "due at no moment": lambda: _request(due=float("nan")),
    "due in a year": lambda: _request(due=time.monotonic() + 3e7),
    "due never": lambda: _request(due=float("inf")),
    "sound too long": lambda: _request(
        kind=Kind.HEAR, slot=PAINT_SLOTS, frames=4, samples=480_001
    ),
    "sound of nothing": lambda: _request(kind=Kind.HEAR, slot=PAINT_SLOTS, frames=4),
    "too many frames": lambda: _request(kind=Kind.HEAR, slot=PAINT_SLOTS, frames=200),
    "no frame": lambda: _request(kind=Kind.HEAR, slot=PAINT_SLOTS, frames=0),
    "token outside": lambda: _request(kind=Kind.HEAR, slot=PAINT_SLOTS, frames=4, first=-5),
    "slot twice": lambda: _request() + _request(number=2),
    "number twice": lambda: _request() + _request(slot=2),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_message_that_no_worker_sends_ends_its_sender_alone(
    site: Serving, latents: Path, name: str
) -> None:
    good = site.connect(serving.presenter(latents))
    bad = _greeted(site, pack_json(HELLO), latents)
    _, descriptors, _, _ = socket.recv_fds(bad, 4096, 1)
    os.close(descriptors[0])

    bad.send(HOSTILE[name]())
    site.turn_until(lambda: site.server.figures()["on_air"] == 1)

    bad.settimeout(serving.DEADLINE_SECONDS)
    assert bad.recv(4096) == b""
    paint(good, 3)
    assert faces_of(site, good, 1) == [3]
    bad.close()


HELLOS: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"\xff\xfe", "not JSON"),
    "deep JSON": (b"[" * 9000, "not JSON"),
    "a list": (b"[]", "no object"),
    "another version": (pack_json({**HELLO, "hello": 7}), "version 7"),
    "no engine": (pack_json({**HELLO, "engine": None}), "`engine`"),
    "long engine": (pack_json({**HELLO, "engine": "x" * 65}), "`engine`"),
    "no duration": (pack_json({**HELLO, "frame_samples": 0}), "`frame_samples`"),
    "duration of text": (pack_json({**HELLO, "frame_samples": "1920"}), "`frame_samples`"),
    "row below": (pack_json({**HELLO, "first_row": 500}), "`first_row`"),
}


@pytest.mark.parametrize("name", HELLOS)
def test_hello_that_is_none_is_refused_with_the_reason(
    site: Serving, latents: Path, name: str
) -> None:
    raw, reason = HELLOS[name]

    assert reason in _refusal(site, raw, latents)


def _write(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def _npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


GOOD = np.zeros((4, 8, 2, 2), np.float16)
LATENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no array": (lambda: b"latents" * 100, "no array"),
    "empty": (lambda: b"", "no array"),
    "pickle": (lambda: pickle.dumps(GOOD), "no array"),
    "objects": (lambda: _write(np.array([os.system] * 2, object)), "other numbers than float16"),
    "doubles": (lambda: _write(GOOD.astype(np.float64)), "other numbers than float16"),
    "Fortran order": (
        lambda: _write(np.asfortranarray(np.ones((4, 8, 2, 2), np.float16))),
        "C order",
    ),
    "other faces": (lambda: _write(np.zeros((4, 8, 32, 32), np.float16)), "is not 1 to"),
    "no frames": (lambda: _write(np.zeros((0, 8, 2, 2), np.float16)), "is not 1 to"),
    "brackets": (lambda: _npy("(" * 3000), "no array"),
    "signs": (lambda: _npy("-" * 3000 + "1"), "no array"),
    "cut short": (lambda: _write(GOOD)[:-9], "ends too early"),
    "a terabyte": (
        lambda: _write(GOOD).replace(b"(4, 8, 2, 2)", b"(99999999, 8, 2, 2)")[:-7],
        "is not 1 to",
    ),
}


@pytest.mark.parametrize("name", LATENTS)
def test_latents_that_are_none_are_refused_with_the_reason(
    site: Serving, tmp_path: Path, name: str
) -> None:
    make, reason = LATENTS[name]
    path = tmp_path / "hostile.npy"
    path.write_bytes(make())

    assert reason in _refusal(site, pack_json(HELLO), path)


def test_latents_are_no_pipe(site: Serving, tmp_path: Path) -> None:
    """Reading from a pipe that nobody writes to would stop the server."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    link = new_socket()
    with socket_address(site.path) as address:
        link.connect(address)
    socket.send_fds(link, [pack_json(HELLO)], [reader])

    answer = unpack_json(site.while_turning(lambda: link.recv(4096)))

    assert "no plain file" in answer["refused"]["message"]
    os.close(reader)
    link.close()


def test_hello_without_a_file_is_refused(site: Serving) -> None:
    link = new_socket()
    with socket_address(site.path) as address:
        link.connect(address)
    link.send(pack_json(HELLO))

    answer = unpack_json(site.while_turning(lambda: link.recv(4096)))

    assert "one open file" in answer["refused"]["message"]
    link.close()


def test_socket_may_lie_deeper_than_an_address_is_long(
    tmp_path: Path, open_site: Callable[..., Serving]
) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    site = open_site(folder)

    site.connect(serving.presenter(serving.write_latents(folder)))

    assert site.server.figures()["on_air"] == 1


def _greeted(site: Serving, hello: bytes, latents: Path) -> socket.socket:
    link = new_socket()
    with socket_address(site.path) as address:
        link.connect(address)
    with latents.open("rb") as file:
        socket.send_fds(link, [hello], [file.fileno()])
    site.turn_until(lambda: bool(_is_readable(link)))
    return link


def _refusal(site: Serving, hello: bytes, latents: Path) -> str:
    link = _greeted(site, hello, latents)
    answer = unpack_json(link.recv(4096))
    assert link.recv(4096) == b""
    link.close()
    assert site.server.figures()["on_air"] == 0
    return str(answer["refused"]["message"])


def _is_readable(link: socket.socket) -> bool:
    try:
        return bool(link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
