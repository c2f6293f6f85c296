"""The sender as a process: killed in the middle, beside another, and with nothing left to do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Reference

from scripts.provision.paths import ROOT
from tests.webhooks.receiver import receiving

pytestmark = pytest.mark.live

EVENTS = 12


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """The environment of an installation of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATA_DIR": str(tmp_path), "EGRESS_ALLOW": "loopback"}


def step(site: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.webhooks.process", *arguments],
        env=site,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


@contextlib.contextmanager
def sender(site: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_webhooks", *options], env=site, cwd=ROOT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_all_delivered(site: dict[str, str], seconds: float = 60.0) -> list[list[Any]]:
    until = time.monotonic() + seconds
    while True:
        rows: list[list[Any]] = step(site, "state")
        if all(state == "delivered" for state, _ in rows) or time.monotonic() > until:
            return rows


@pytest.mark.long
def test_a_sender_killed_in_the_middle_loses_nothing_and_repeats_by_the_same_id(
    site: dict[str, str],
) -> None:
    with receiving(wait_seconds=300.0) as receiver:
        secret = step(site, "prepare", receiver.url, str(EVENTS))["secret"]
        with sender(site) as first:
            receiver.wait_for(2)
            first.send_signal(signal.SIGKILL)
            first.wait()
        assert [attempts for _, attempts in step(site, "state")] == [1, 1] + [0] * (EVENTS - 2)
        receiver.wait_seconds = 0.0
        step(site, "lapse")

        with sender(site) as second, sender(site) as third:
            rows = wait_until_all_delivered(site)
            for process in (second, third):
                process.terminate()
                assert process.wait(60) == 0

        times = Counter(got.message_id for got in receiver.received)
        for got in receiver.received:
            assert Reference(secret).verify(got.body, got.headers)["type"] == "show.created"
    assert [state for state, _ in rows] == ["delivered"] * EVENTS
    assert len(times) == EVENTS
    # The two that were in its hands came twice; two senders at once sent no other one twice.
    assert sorted(times.values()) == [1] * (EVENTS - 2) + [2, 2]


@pytest.mark.long
def test_a_sender_ends_when_idle_or_when_its_parent_is_gone(site: dict[str, str]) -> None:
    step(site, "prepare", "http://127.0.0.1:9/", "0")

    with sender(site, "--idle-seconds", "0.2") as idle:
        assert idle.wait(60) == 0
    orphan = subprocess.Popen(
        [sys.executable, "manage.py", "run_webhooks", "--life-fd", "0"],
        env=site,
        cwd=ROOT,
        stdin=subprocess.PIPE,
    )
    assert orphan.stdin is not None
    orphan.stdin.close()
    assert orphan.wait(60) == 0
