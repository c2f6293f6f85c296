"""Work that nobody waits for takes no time from a show."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference import background
from inference.background import start_behind

NICE = background.NICE

# All on the same processor until a moment that it is told, then each tells the seconds it got.
BUSY = f"""
import os, time
os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})
print("ready", flush=True)
until = float(input())
begun = time.process_time()
while time.monotonic() < until: pass
print(time.process_time() - begun)
"""


@pytest.fixture(autouse=True)
def real_niceness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests wait for such work, beside tests that want all of the machine (conftest)."""
    monkeypatch.setattr(background, "NICE", NICE)


def test_it_is_behind_within_its_session_and_its_session_behind_others() -> None:
    child = start_behind([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    group = Path(f"/proc/{child.pid}/autogroup")

    try:
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == NICE
        assert os.getsid(child.pid) == child.pid
        assert not group.exists() or group.read_text().endswith(f"nice {NICE}\n")
    finally:
        child.communicate(b"\n")


def test_a_process_of_another_session_gets_nearly_all() -> None:
    command = [sys.executable, "-c", BUSY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    show = subprocess.Popen(command, start_new_session=True, **pipes)  # type: ignore[call-overload]
    behind = start_behind(command, **pipes)

    assert [child.stdout.readline() for child in (show, behind)] == [b"ready\n"] * 2
    until = time.monotonic() + 2
    for child in (show, behind):
        child.stdin.write(f"{until}\n".encode())
        child.stdin.close()
    seconds = [float(child.stdout.read()) for child in (show, behind)]
    for child in (show, behind):
        child.stdout.close()
        child.wait()

    assert seconds[0] > 3 * seconds[1]


def test_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        start_behind(["/no/such/program"])
