"""The local launcher starts real processes, and is never wrong about whether one lives."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.launchers import local as local_module
from inference.launchers.base import Handle, LaunchError, LaunchRequest
from inference.launchers.local import LocalLauncher, trim_log

ROOT = Path(__file__).resolve().parents[3]
MODULE = "tests.inference.launchers.sleeper"


def wait_for(condition: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def request_in(folder: Path) -> LaunchRequest:
    return LaunchRequest("b", 1, "canary-token", "ws://127.0.0.1:1/ws/v1/runner/", str(folder))


def read_seen(folder: Path) -> dict[str, Any]:
    path = folder / "seen.json"
    wait_for(path.exists)
    seen: dict[str, Any] = json.loads(path.read_text())
    return seen


@pytest.fixture
def launcher() -> LocalLauncher:
    return LocalLauncher(ROOT, module=MODULE)


@pytest.fixture
def handle(launcher: LocalLauncher, tmp_path: Path) -> Iterator[Handle]:
    started = launcher.start(request_in(tmp_path), lambda _: None)
    read_seen(tmp_path)
    yield started
    launcher.stop(started, is_forced=True)
    wait_for(lambda: launcher.poll(started).status == "dead")


def test_secrets_reach_the_runner_by_stdin_only(
    launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-secret")
    monkeypatch.setenv("DATABASE_URL", "mysql://canary")
    started = launcher.start(request_in(tmp_path), lambda _: None)
    seen = read_seen(tmp_path)
    launcher.stop(started, is_forced=True)
    wait_for(lambda: launcher.poll(started).status == "dead")

    assert seen["document"]["token"] == "canary-token"
    assert seen["session"]
    assert "canary" not in json.dumps([seen["argv"], seen["environ"]])


def test_started_process_is_alive_until_it_is_stopped(
    launcher: LocalLauncher, handle: Handle
) -> None:
    assert launcher.poll(handle).status == "alive"

    launcher.stop(handle, is_forced=False)

    poll = wait_for(lambda: (poll := launcher.poll(handle)).status == "dead" and poll)
    assert poll.reason == "exit status 0"


def test_killed_process_is_confirmed_dead(launcher: LocalLauncher, handle: Handle) -> None:
    os.kill(handle["pid"], 9)

    poll = wait_for(lambda: (poll := launcher.poll(handle)).status == "dead" and poll)
    assert poll.reason == "killed by SIGKILL"


def test_runner_that_dies_while_it_is_looked_at_is_reaped(
    launcher: LocalLauncher, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_running = local_module._is_running

    def dies_just_before(handle: Handle) -> bool:
        os.kill(handle["pid"], 9)
        wait_for(lambda: state_of(handle["pid"]) == "Z")
        return is_running(handle)

    with monkeypatch.context() as patch:
        patch.setattr(local_module, "_is_running", dies_just_before)
        first = launcher.poll(handle)
    os.kill(handle["pid"], 9)

    poll = wait_for(lambda: (poll := launcher.poll(handle)).status == "dead" and poll)
    assert (first.status, poll.reason) == ("alive", "killed by SIGKILL")
    assert state_of(handle["pid"]) == ""


@pytest.mark.parametrize("finder", ["its own loop", "another loop"])
def test_child_that_hangs_does_not_outlive_its_dead_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finder: str
) -> None:
    monkeypatch.setattr(local_module, "ORPHAN_SECONDS", 0.05)
    launcher = LocalLauncher(ROOT, module="tests.inference.launchers.parent")
    started = launcher.start(request_in(tmp_path), lambda _: None)
    wait_for((tmp_path / "child.pid").exists)
    child = int((tmp_path / "child.pid").read_text())
    wait_for(lambda: state_of(child) == "T")
    looking = launcher if finder == "its own loop" else LocalLauncher(ROOT)
    assert looking.poll(started).status == "alive"
    assert state_of(child) == "T"

    try:
        os.kill(started["pid"], 9)
        wait_for(lambda: looking.poll(started).status == "dead")

        wait_for(lambda: state_of(child) in ("", "Z"))
    finally:
        launcher.poll(started)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)


def state_of(pid: int) -> str:
    """The letter of proc(5); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_another_loop_on_the_host_adopts_the_runner(handle: Handle) -> None:
    other = LocalLauncher(ROOT, module=MODULE)

    assert other.poll(handle).status == "alive"
    other.stop(handle, is_forced=True)

    # It stays a zombie until its own parent looks; dead all the same.
    wait_for(lambda: other.poll(handle).status == "dead")


def test_reused_pid_is_not_taken_for_the_runner(launcher: LocalLauncher, handle: Handle) -> None:
    assert LocalLauncher(ROOT).poll({**handle, "started": handle["started"] - 1}).status == "dead"
    assert LocalLauncher(ROOT).poll({**handle, "boot": "before"}).status == "dead"


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "before"}])
def test_process_that_got_the_pid_of_a_dead_runner_is_left_alone(
    launcher: LocalLauncher, handle: Handle, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """A container that starts again gives its processes the numbers of the ones before."""
    monkeypatch.setattr(local_module, "ORPHAN_SECONDS", 0.0)
    threads = set(threading.enumerate())

    assert LocalLauncher(ROOT).poll({**handle, **change}).status == "dead"
    for sweep in set(threading.enumerate()) - threads:
        sweep.join()

    launcher.stop(handle, is_forced=False)
    poll = wait_for(lambda: (poll := launcher.poll(handle)).status == "dead" and poll)
    assert poll.reason == "exit status 0"


def test_runner_of_another_machine_is_not_judged(launcher: LocalLauncher, handle: Handle) -> None:
    assert launcher.poll({**handle, "host": "elsewhere"}).status == "unknown"


def test_handle_is_recorded_before_the_token_is_handed_over(
    launcher: LocalLauncher, tmp_path: Path
) -> None:
    recorded: list[Handle] = []

    def fail(handle: Handle) -> None:
        recorded.append(handle)
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError):
        launcher.start(request_in(tmp_path), fail)

    poll = wait_for(lambda: (poll := launcher.poll(recorded[0])).status == "dead" and poll)
    assert poll.reason == "exit status 3"
    assert not (tmp_path / "seen.json").exists()


def test_process_that_nobody_knows_of_is_reaped(launcher: LocalLauncher, tmp_path: Path) -> None:
    started: list[Handle] = []

    def fail(handle: Handle) -> None:
        started.append(handle)
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError):
        launcher.start(request_in(tmp_path), fail)
    wait_for(lambda: state_of(started[0]["pid"]) == "Z")

    launcher.prepare()

    assert state_of(started[0]["pid"]) == ""
    assert launcher.poll(started[0]).status == "dead"
    launcher.close()


def test_launch_into_an_impossible_folder_says_why(launcher: LocalLauncher, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")

    with pytest.raises(LaunchError, match="Not a directory"):
        launcher.start(request_in(blocker / "run"), lambda _: None)


def test_spare_is_taken_by_the_next_start(
    launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long this machine takes to start a process.
    monkeypatch.setattr(local_module, "SPARE_PAUSE_SECONDS", 3600.0)
    launcher.prepare()
    launcher.prepare()
    spare = launcher._spare
    assert spare is not None

    started = launcher.start(request_in(tmp_path), lambda _: None)

    assert started["pid"] == spare.pid
    assert read_seen(tmp_path)["document"]["token"] == "canary-token"
    launcher.prepare()
    assert launcher._spare is None  # not while the one just taken goes on air
    launcher.stop(started, is_forced=True)
    wait_for(lambda: launcher.poll(started).status == "dead")


def test_dead_spare_is_not_used(launcher: LocalLauncher, tmp_path: Path) -> None:
    launcher.prepare()
    spare = launcher._spare
    assert spare is not None
    spare.kill()
    spare.wait()

    started = launcher.start(request_in(tmp_path), lambda _: None)

    assert started["pid"] != spare.pid
    launcher.stop(started, is_forced=True)
    wait_for(lambda: launcher.poll(started).status == "dead")


def test_spare_ends_with_its_launcher(launcher: LocalLauncher) -> None:
    launcher.prepare()
    spare = launcher._spare
    assert spare is not None

    launcher.close()

    assert spare.returncode == -9


def test_log_is_bounded_and_keeps_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "LOG_BYTES", 10)
    log = tmp_path / "runner.log"
    log.write_bytes(b"old old old newest.....")

    trim_log(log)
    trim_log(tmp_path / "none")

    assert log.read_bytes() == b""
    assert (tmp_path / "runner.log.1").read_bytes() == b"ewest....."


def test_life_pipe_ends_when_the_holder_is_gone(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    launcher = LocalLauncher(ROOT, life_fd=read_end, module=MODULE)

    started = launcher.start(request_in(tmp_path), lambda _: None)
    seen = read_seen(tmp_path)

    flag = seen["argv"][1:]
    assert flag == ["--life-fd", str(read_end)]
    pipe = os.readlink(f"/proc/self/fd/{read_end}")
    folder = Path(f"/proc/{started['pid']}/fd")
    held = [fd.name for fd in folder.iterdir() if os.readlink(fd) == pipe]
    assert held == [str(read_end)]  # the write end is not among them
    launcher.stop(started, is_forced=True)
    wait_for(lambda: launcher.poll(started).status == "dead")
    os.close(read_end)
    os.close(write_end)
