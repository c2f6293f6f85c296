"""How the process of a model server begins and ends where its device is at fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from inference.gpu.link import ServerGoneError, ServerLink
from tests.inference.gpu import serving
from tests.inference.gpu.serving import DEADLINE_SECONDS, no_prompt, soon

# As PyTorch: which devices there are is found out once in the life of a program.
COUNTING = """
import os, sys
from benchmarks.stub_painter import StubPainter
from inference.gpu import __main__ as server
server.RETRY_SECONDS = 0.2
flag, where, *arguments = sys.argv[1:]
has_device = os.path.exists(flag)

class Counting(StubPainter):
    def measure(self):
        if not has_device:
            raise RuntimeError("CUDA error: no CUDA-capable device is detected")
        return super().measure()

def opened(*_):
    if where == "open" and not has_device:
        raise RuntimeError("CUDA error: no CUDA-capable device is detected")
    return Counting()

sys.exit(server.main(arguments, opened))
"""
# A call of the driver that does not come back and keeps Python's lock.
HANGING = """
import ctypes, sys
from benchmarks.stub_painter import StubPainter
from inference.gpu import __main__ as server
server.HANG_SECONDS = 5.0

class Hanging(StubPainter):
    def start(self, orders, first_row):
        ctypes.PyDLL(None).sleep(600)

sys.exit(server.main(sys.argv[1:], lambda *_: Hanging()))
"""


class Started:
    """A program with a server at `socket`."""

    def __init__(self, folder: Path, program: str, *arguments: str, life: int) -> None:
        self.socket = folder / "0.sock"
        self.child = subprocess.Popen(
            [
                sys.executable, "-c", program, *arguments, "--socket", str(self.socket),
                "--engine", "stub", "--life-fd", str(life),
            ],
            pass_fds=(life,), stderr=subprocess.PIPE,
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.socket.with_suffix(".json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def connect(self, film: Path) -> ServerLink:
        def link() -> ServerLink | None:
            try:
                return ServerLink.connect(self.socket, serving.presenter(film))
            except ServerGoneError:
                return None

        found: ServerLink = wait_for(link)
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    life, end = os.pipe()
    running: list[Started] = []

    def begin(program: str, *arguments: str) -> Started:
        running.append(Started(tmp_path, program, *arguments, life=life))
        return running[-1]

    yield begin
    os.close(end)
    os.close(life)
    for each in running:
        with suppress(subprocess.TimeoutExpired):
            each.child.wait(DEADLINE_SECONDS)
        each.child.kill()
        each.child.wait()
        assert each.child.stderr is not None
        each.child.stderr.close()


def wait_for(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + DEADLINE_SECONDS
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value


@pytest.mark.parametrize("where", ["open", "measure"])
def test_device_that_comes_later_is_found_by_the_same_process(
    start: Callable[..., Started], tmp_path: Path, where: str
) -> None:
    """A driver may be up later than the server; until then it says what is wrong."""
    started = start(COUNTING, str(tmp_path / "device"), where)
    wait_for(lambda: started.said().get("state") == "failed")
    states, first_told = set(), started.said()["at"]
    while started.said()["at"] < first_told + 1.0:
        assert started.child.poll() is None
        states.add(started.said()["state"])
        time.sleep(0.01)

    assert states == {"failed"}
    assert "no CUDA-capable device" in started.said()["message"]
    (tmp_path / "device").touch()
    started.connect(serving.write_latents(tmp_path)).close()
    assert started.said()["pid"] == started.child.pid


def test_server_whose_device_hangs_ends_and_says_where(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    started = start(HANGING)
    link = started.connect(serving.write_latents(tmp_path))
    link.paint(0, no_prompt(), soon())

    assert started.child.wait(DEADLINE_SECONDS) != 0

    link.close()
    assert started.child.stderr is not None
    assert b"_begin_faces" in started.child.stderr.read()
