"""The child that builds a presenter: ended, its work is kept or not as it was asked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from inference import builds
from inference.builds import BuildJob

FINISHES = """
import json, pathlib, sys
out = pathlib.Path(json.loads(sys.stdin.readline())["out"])
out.mkdir()
out.with_name("." + out.name + "-left").mkdir()
print(json.dumps({"done": {}}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildJob:
    """A child that has made its bundle and told so."""
    monkeypatch.setattr(
        builds,
        "start_behind",
        lambda _, **options: subprocess.Popen([sys.executable, "-c", FINISHES], **options),
    )
    made = BuildJob({"out": str(tmp_path / "out")})
    events: list[Any] = []
    until = time.monotonic() + 20
    while not events:
        assert time.monotonic() < until
        events = made.poll()
    assert [event.kind for event in events] == ["done"]
    return made


SPEAKS = """
import json, sys
print("[]", 5, "true", "[" * 100_000, json.dumps({"level": "info"}), sep=chr(10))
print(json.dumps({"stage": "masks", "progress": 40}))
print(json.dumps({"done": {"frames": 3}}))
"""


def test_what_is_no_event_among_the_lines_of_a_build_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        builds,
        "start_behind",
        lambda _, **options: subprocess.Popen([sys.executable, "-c", SPEAKS], **options),
    )
    made = BuildJob({"out": str(tmp_path / "out")})
    events: list[Any] = []
    until = time.monotonic() + 20
    while len(events) < 2:
        assert time.monotonic() < until
        events += made.poll()

    made.reap()

    assert [event.kind for event in [*events, *made.poll()]] == ["progress", "done"]
    assert events[1].data == {"frames": 3}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_cancelled_build_leaves_nothing_though_it_was_done(job: BuildJob, tmp_path: Path) -> None:
    job.cancel()

    assert names(tmp_path) == []


def test_reaped_build_leaves_its_bundle_alone(job: BuildJob, tmp_path: Path) -> None:
    job.reap()

    assert names(tmp_path) == ["out"]


def test_build_that_is_let_go_touches_nothing_of_the_next_one(
    job: BuildJob, tmp_path: Path
) -> None:
    job.let_go()

    assert names(tmp_path) == [".out-left", "out"]
