"""Children of `up` are started again with back-off, and ended for certain."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from livestudio import children as children_module
from livestudio.children import Child, end_all

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(60)",
]  # fmt: skip


def wait_for_log(log: Path) -> None:
    until = time.monotonic() + 60
    while not (log.exists() and log.read_bytes()):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_dead_child_is_started_again_after_a_pause(tmp_path: Path) -> None:
    child = Child("web", SLEEP, {}, log=tmp_path / "logs" / "web.log")
    child.start()
    assert child.supervise() is None
    first = child.process
    assert first is not None
    first.kill()
    first.wait()

    told = child.supervise()

    assert told is not None
    assert told.startswith("web ended with status -9")
    assert child.start_again_at > time.monotonic() - 60
    child.start_again_at += 3600  # however long this machine stands still
    assert child.supervise() is None  # its pause is not over
    assert child.process is None
    child.start_again_at = 0.0
    assert child.supervise() is None
    second = child.process
    assert second is not None
    assert second.pid != first.pid
    end_all([child])


def test_pauses_grow_until_it_has_lived(tmp_path: Path) -> None:
    child = Child("web", [sys.executable, "-c", ""], {})
    for _ in range(8):
        child.start()
        assert child.process is not None
        child.process.wait()
        child.supervise()
    assert child.failures == 8
    assert child.start_again_at - time.monotonic() <= children_module.BACK_OFF_MAX_SECONDS

    child.start()
    child.started_at -= 60
    assert child.process is not None
    child.process.wait()
    child.supervise()
    assert child.failures == 1


def test_end_kills_who_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polite = Child("polite", SLEEP, {}, log=tmp_path / "polite.log")
    stubborn = Child("stubborn", STUBBORN, {}, log=tmp_path / "stubborn.log")
    never_started = Child("never", SLEEP, {})
    for child in (polite, stubborn):
        child.start()
        assert child.log is not None
        wait_for_log(child.log)

    end_all([polite, never_started])
    monkeypatch.setattr(children_module, "TERM_SECONDS", 0.3)
    end_all([stubborn])

    assert polite.process is not None
    assert stubborn.process is not None
    assert (polite.process.returncode, stubborn.process.returncode) == (-15, -9)
