"""Each due show starts exactly once, whichever of several control loops dies at which moment."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from scripts.provision.paths import ROOT
from streams import control_loop
from tests.forks import shared_database
from tests.streams import storm
from tests.streams.storm import Report

MODULE = "tests.streams.storm"
CALM_SECONDS = 60.0
PAUSE_MAX_SECONDS = 4.0
Process = Any  # of subprocess or multiprocessing: both can be killed


class Storm:
    """Control loops that are killed and replaced at random."""

    def __init__(self, start: Callable[[], Process], loops: int, pause_seconds: float) -> None:
        self._start, self._pause_seconds = start, pause_seconds
        self._dice = random.Random(7)
        self._loops = [start() for _ in range(loops)]
        self.kills = 0

    def rage(self, started: Callable[[], int], wanted: int, deadline_seconds: float) -> None:
        """Kill until as many shows are started. Raises AssertionError when that takes too long."""
        deadline, before = time.monotonic() + deadline_seconds, 0
        while (now := started()) < wanted:
            assert time.monotonic() < deadline, f"{now} of {wanted} shows were started"
            if now == before and self.kills:
                # On a slow machine a loop needs longer before it can be killed in a launch.
                self._pause_seconds = min(1.2 * self._pause_seconds, PAUSE_MAX_SECONDS)
            before = now
            # Now in the middle of a launch, now between two.
            time.sleep(self._dice.uniform(0.1, 1.9) * self._pause_seconds)
            victim = self._dice.randrange(len(self._loops))
            _kill(self._loops[victim])
            self._loops[victim] = self._start()
            self.kills += 1

    def end(self) -> None:
        for loop in self._loops:
            _kill(loop)


def _kill(process: Process) -> None:
    process.kill()
    wait = getattr(process, "wait", None) or process.join
    wait()


# --- a small one, in forks of this process -------------------------------------------------------


def fork_loop() -> Process:
    # A connection must not be shared by two processes.
    connection.close()
    process = multiprocessing.get_context("fork").Process(target=_loop_in_fork, daemon=True)
    process.start()
    return process


def _loop_in_fork() -> None:
    control_loop.ROUND_SECONDS = 0.01  # type: ignore[misc]
    storm.run_loop()


@pytest.mark.django_db(transaction=True)
def test_shows_start_once_while_loops_are_killed(tmp_path: Path) -> None:
    storm.seed(24, in_seconds=-3)

    with shared_database(tmp_path):
        storm_of_loops = Storm(fork_loop, loops=2, pause_seconds=0.08)
        try:
            storm_of_loops.rage(lambda: storm.report().broadcasts, 24, deadline_seconds=180)
        finally:
            storm_of_loops.end()
        report = storm.report()

    assert storm_of_loops.kills > 1
    assert report.planned == {"started": 24}
    # A launch whose loop died is repeated 15 seconds later, which the long test waits for.
    assert (report.broadcasts, report.doubled, report.launched_twice) == (24, 0, 0)


# --- a large one, of `manage.py run_control` on MariaDB ------------------------------------------


def start_program(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def run_program(*arguments: str, environment: dict[str, str]) -> bytes:
    command = [sys.executable, "-m", MODULE, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=True
    )
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("loops", [2, 4])
def test_two_hundred_shows_start_once_on_mariadb(mariadb_url: str, loops: int) -> None:
    name = f"storm{loops}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"{mariadb_url.rpartition('/')[0]}/{name}",
    }

    def report() -> Report:
        return Report(**json.loads(run_program("report", environment=environment)))

    run_program("create", mariadb_url, name, environment=environment)
    run_program("seed", "200", "5", "20", environment=environment)
    storm_of_loops = Storm(
        lambda: start_program("loop", environment=environment), loops, pause_seconds=3.0 / loops
    )
    try:
        with closing(storm.connect(mariadb_url, name)) as server:
            storm_of_loops.rage(lambda: _opened(server), 200, deadline_seconds=400)
        # Launches that died with their loop come again once their grace is over.
        left = _when(report, lambda item: not item.without_process)
    finally:
        storm_of_loops.end()

    sys.stdout.write(f"\n{loops} loops, {storm_of_loops.kills} killed: {_summary(left)}\n")
    assert left.is_right, left


def _opened(server: Any) -> int:
    server.query("SELECT COUNT(*) FROM streams_broadcast")
    return int(server.store_result().fetch_row()[0][0])


def _when(look: Callable[[], Report], is_reached: Callable[[Report], bool]) -> Report:
    deadline = time.monotonic() + CALM_SECONDS
    while not is_reached(report := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return report


def _summary(report: Report) -> str:
    late = report.late_ms
    return (
        f"{report.broadcasts} started once, late by {late[len(late) // 2]} ms (median), "
        f"{late[int(len(late) * 0.99)]} ms (P99)"
    )
