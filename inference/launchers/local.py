"""Runner processes on this machine, which outlive the control loop that started them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from inference.child_environment import child_environment
from inference.launchers.base import Handle, LaunchError, LaunchRequest, Poll

LOG_BYTES: Final = 8 * 1024 * 1024
LOG_NAME: Final = "runner.log"
SPARE_PAUSE_SECONDS: Final = 5.0
# What a runner's children need to finish their files at its end.
ORPHAN_SECONDS: Final = 5.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

_Identity = tuple[str, int, int]  # boot, pid, start time in ticks


class LocalLauncher:
    """Starts `python -m <module>` in its own session; finds it again by (host, pid, start time)."""

    name = "local"

    def __init__(
        self, folder: Path, *, life_fd: int | None = None, module: str = "inference.runner"
    ) -> None:
        self._folder = folder
        self._life_fd = life_fd
        self._module = module
        self._children: dict[_Identity, subprocess.Popen[bytes]] = {}
        # Maybe of no row, so that nobody polls them: they end by themselves.
        self._unrecorded: list[subprocess.Popen[bytes]] = []
        self._swept: set[_Identity] = set()
        self._spare: subprocess.Popen[bytes] | None = None
        self._spare_due_at = 0.0

    def prepare(self) -> None:
        """Keep one process loaded and waiting on its stdin: it saves a second of imports.

        It knows nothing yet, and end of file on its stdin, however we end, ends it.
        """
        self._reap_unrecorded()
        if self._spare is not None and self._spare.poll() is not None:
            self._take_spare()
        if self._spare is None and time.monotonic() >= self._spare_due_at:
            self._spare_due_at = time.monotonic() + SPARE_PAUSE_SECONDS
            with contextlib.suppress(OSError):  # then the next start begins from nothing
                self._spare = self._spawn()

    def start(self, request: LaunchRequest, record: Callable[[Handle], None]) -> Handle:
        """Take or start a process, record it, then hand it its bootstrap document on stdin."""
        run_folder = Path(request.run_folder)
        try:
            run_folder.mkdir(parents=True, exist_ok=True)
            trim_log(run_folder / LOG_NAME)
            child = self._take_spare() or self._spawn()
        except OSError as error:
            raise LaunchError(f"the process could not be started: {error.strerror}") from error
        handle = _handle_of(child.pid)
        self._children[_identity(handle)] = child
        try:
            record(handle)
        except BaseException:
            # Without its document it reads end of file and exits.
            _close_stdin(child)
            self._unrecorded.append(child)
            raise
        _hand_over(child, request)
        return handle

    def poll(self, handle: Handle) -> Poll:
        """`dead` only when this very process is gone; another machine's is `unknown`."""
        if handle.get("host") != socket.gethostname():
            return Poll("unknown", "started on another machine")
        child = self._children.get(_identity(handle))
        code = child.poll() if child is not None else None
        # Of our own child `/proc` is not asked: it calls a process dead before it can be reaped.
        if code is None and (child is not None or _is_running(handle)):
            return Poll("alive")
        self._children.pop(_identity(handle), None)
        self._sweep(handle)
        return Poll("dead", "the process is gone" if code is None else _exit_reason(code))

    def _sweep(self, handle: Handle) -> None:
        """End children that outlive a dead runner: a stopped or hung one sees no end of file.

        A pusher among them would keep the platform's session, and the next one could not publish.
        """
        if _identity(handle) not in self._swept:
            self._swept.add(_identity(handle))
            timer = threading.Timer(ORPHAN_SECONDS, _kill_group, (handle,))
            timer.daemon = True
            timer.start()

    def stop(self, handle: Handle, *, is_forced: bool) -> None:
        """SIGTERM to the runner, which drains; forced: SIGKILL to its whole session."""
        if self.poll(handle).status != "alive":
            return
        pid = int(handle["pid"])
        with contextlib.suppress(ProcessLookupError):
            if is_forced:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGTERM)

    def _reap_unrecorded(self) -> None:
        """They would be zombies as long as this loop lives."""
        ended = [child for child in self._unrecorded if child.poll() is not None]
        for child in ended:
            self._unrecorded.remove(child)
        self._children = {key: child for key, child in self._children.items() if child not in ended}

    def close(self) -> None:
        """End the spare; runners stay."""
        spare = self._take_spare()
        if spare is not None:
            spare.kill()  # it holds nothing yet, so there is nothing to drain
            spare.wait()
            _close_stdin(spare)

    def _take_spare(self) -> subprocess.Popen[bytes] | None:
        spare, self._spare = self._spare, None
        # The next one is loaded when this one has gone on air: they would slow each other.
        self._spare_due_at = time.monotonic() + SPARE_PAUSE_SECONDS
        if spare is not None and spare.poll() is not None:
            _close_stdin(spare)
            return None
        return spare

    def _spawn(self) -> subprocess.Popen[bytes]:
        life = [] if self._life_fd is None else ["--life-fd", str(self._life_fd)]
        return subprocess.Popen(
            [sys.executable, "-m", self._module, *life],
            stdin=subprocess.PIPE,
            # With the document it is told where its log is, and moves there.
            cwd=self._folder,
            env=_environment(),
            pass_fds=() if self._life_fd is None else (self._life_fd,),
            start_new_session=True,
        )


def _kill_group(handle: Handle) -> None:
    """End what is left of a dead runner's session."""
    _, pid, started = _identity(handle)
    # No process gets the number of a group while a member of it lives: another one that has it now
    # tells that nothing is left. A container that starts again hands out the same numbers.
    if handle.get("boot") != _boot_id() or _start_ticks(pid) not in (None, started):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def trim_log(path: Path) -> None:
    """Keep the log of a runner bounded: the older part moves aside, replacing the one before.

    The runner appends, so cutting the file under it is safe.
    """
    try:
        if path.stat().st_size <= LOG_BYTES:
            return
        path.with_suffix(".log.1").write_bytes(path.read_bytes()[-LOG_BYTES:])
        os.truncate(path, 0)
    except FileNotFoundError:
        return


def _hand_over(child: subprocess.Popen[bytes], request: LaunchRequest) -> None:
    """Write the bootstrap document. A child that died already is found by the next poll."""
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        log = str(Path(request.run_folder) / LOG_NAME)
        child.stdin.write(json.dumps({**asdict(request), "log": log}).encode() + b"\n")
        child.stdin.flush()
    _close_stdin(child)


def _close_stdin(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()


def _environment() -> dict[str, str]:
    return {**child_environment(), "PYTHONUNBUFFERED": "1"}


def _handle_of(pid: int) -> Handle:
    return {
        "host": socket.gethostname(),
        "boot": _boot_id(),
        "pid": pid,
        "started": _start_ticks(pid) or 0,  # 0: it died at once, and no process starts at 0
    }


def _identity(handle: Handle) -> _Identity:
    return str(handle.get("boot")), int(handle["pid"]), int(handle["started"])


def _is_running(handle: Handle) -> bool:
    """True while the same process, not one that got its pid later, exists and is no zombie."""
    if handle.get("boot") != _boot_id():
        return False
    return _start_ticks(int(handle["pid"])) == int(handle["started"])


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in brackets and may itself hold brackets and blanks: proc(5).
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
