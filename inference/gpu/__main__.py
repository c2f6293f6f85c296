"""`python -m inference.gpu`: the model server of one device, under `manage.py up`.

While its networks cannot be loaded it says so in its status file and tries again: for files that
are missing by looking again, for all else as a new program in the same process.
"""

from __future__ import annotations

import argparse
import faulthandler
import fcntl
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from inference.engines.base import EngineError, Json
from inference.engines.weights import WeightsError
from inference.gpu.painters import Networks, Opener, open_painter
from inference.gpu.server import ModelServer
from inference.gpu.wire import new_socket, socket_address
from inference.media.garbage import collect_rarely

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 15.0
# A pass takes tenths of a second; a device that hangs never comes back by itself.
HANG_SECONDS: Final = 20.0
# Faces at once. Source: `BUCKETS` in musetalk/passes.py, which imports PyTorch.
MAX_PASS: Final = 32
EXIT_HOPELESS: Final = 71
_BACKLOG: Final = 64


class Status:
    """The file that web and doctor read: state and figures, replaced whole."""

    def __init__(self, path: Path, known: Json) -> None:
        self._path = path
        self._known = known | {"pid": os.getpid()}

    def begin(self) -> None:
        """Loading; what this process has failed with stays until it is known better."""
        try:
            said = json.loads(self._path.read_text())
            has_failed = said["state"] == "failed" and said["pid"] == os.getpid()
        except (OSError, ValueError, LookupError, TypeError):
            has_failed = False
        if not has_failed:
            self.write("loading", {})

    def write(self, state: str, figures: Json) -> None:
        """state: loading | ready | failed. A full disk must not end the server."""
        values = {**self._known, **figures, "state": state, "at": time.time()}
        part = self._path.with_suffix(".part")
        with suppress(OSError):
            part.write_text(json.dumps(values, ensure_ascii=False))
            part.replace(self._path)


def main(arguments: list[str], opener: Opener = open_painter) -> int:
    """Serve until the life pipe ends or SIGTERM comes; the exit status."""
    given = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    life = _life_of(given.life_fd)
    given.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(given.socket.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.error("another model server runs at %s", given.socket)
        return 1
    networks = Networks(given.engine, given.version, given.decoder)
    known = {"engine": given.engine, "version": given.version, "decoder": given.decoder}
    status = Status(given.socket.with_suffix(".json"), known)
    given.socket.unlink(missing_ok=True)

    def load(listener: socket.socket) -> ModelServer:
        painter = opener(networks, given.weights, given.device, given.max_bucket, given.graphs)
        return ModelServer(listener, painter, networks, lambda said: _report(status, said))

    with new_socket() as listener:
        server = _load(lambda: load(listener), status, life, given.life_fd)
        return 0 if server is None else _serve(given.socket, listener, server, life)


def _serve(path: Path, listener: socket.socket, server: ModelServer, life: int) -> int:
    """The exit status. The socket is there only when every pass has been warmed up."""
    with socket_address(path) as address:
        listener.bind(address)
    path.chmod(0o600)
    listener.listen(_BACKLOG)
    server.end_on(life)
    _expect_life()
    collect_rarely()
    logger.info("the model server is ready", extra={"figures": server.figures()})
    try:
        server.run()
    finally:
        path.unlink(missing_ok=True)
        server.close()
    if server.is_hopeless:
        logger.error("the device fails every pass")
        return EXIT_HOPELESS
    return 0


def _load(
    load: Callable[[], ModelServer], status: Status, life: int, life_fd: int | None
) -> ModelServer | None:
    """The server, warm, as soon as there can be one; None when the life pipe ended before."""
    status.begin()
    while True:
        is_known = False
        try:
            return load()
        except EngineError as error:
            text, is_known = error.message, isinstance(error, WeightsError)
        except ImportError as error:
            text = f"The neural libraries are not installed (docs/weights.md): {error}."
        except RuntimeError as error:
            text = f"The device refuses: {error}."
        logger.error("the networks cannot be loaded: %s", text)
        status.write("failed", {"message": text})
        readable, _, _ = select.select([life], [], [], RETRY_SECONDS)
        if readable:
            return None
        if not is_known:
            _begin_anew(life_fd)


def _begin_anew(life_fd: int | None) -> None:
    """The same process and command, and nothing of what this program believes.

    PyTorch counts the GPUs once, and a driver that failed it goes on failing it.
    """
    kept = 2 if life_fd is None else life_fd
    os.set_inheritable(kept, True)
    # Those of the driver too, whatever it marked them as.
    os.closerange(3, kept)
    os.closerange(max(3, kept + 1), os.sysconf("SC_OPEN_MAX"))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this program


def _report(status: Status, figures: Json) -> None:
    """Once a second."""
    _expect_life()
    status.write("ready", figures)


def _expect_life() -> None:
    """End the process and say where it was unless this is called again: its parent starts another.

    A thread in Python would not do: a call that hangs in the driver may keep Python's lock.
    """
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)


def _life_of(life_fd: int | None) -> int:
    """What becomes readable when this process is to end: the parent's pipe, and SIGTERM."""
    ended, end = os.pipe2(os.O_CLOEXEC)

    def leave(*_: object) -> None:
        # Not closed: at a second signal its number may be another file's.
        os.write(end, b"\0")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    if life_fd is not None:
        os.set_inheritable(life_fd, False)

        def wait() -> None:
            os.read(life_fd, 1)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, daemon=True).start()
    return ended


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m inference.gpu", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--engine", default="musetalk", help="musetalk, wav2lip256")
    parser.add_argument("--version", default="v1.5")
    parser.add_argument("--decoder", default="kl")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--max-bucket",
        type=int,
        choices=range(1, MAX_PASS + 1),
        metavar=f"1..{MAX_PASS}",
        help="faces of the largest pass",
    )
    parser.add_argument("--life-fd", type=int)
    graphs = parser.add_mutually_exclusive_group()
    graphs.add_argument("--graphs", action="store_true", default=None, help="refuse a processor")
    graphs.add_argument("--no-graphs", dest="graphs", action="store_false")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
