"""The chores' child: when it is started, and what its end is noted as."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from inference.services import last_chores, note_chores, note_node
from streams.services.chores import SWEEP_SECONDS, ChoreRunner

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("exit_status", "is_noted"), [(0, True), (3, False)])
def test_only_a_sweep_that_ended_well_is_noted(exit_status: int, is_noted: bool) -> None:
    """Prometheus tells how long ago that was: `livestudio_chores_silence_seconds`."""
    now, options = [0.0], []

    def start(option: str | None) -> Any:
        options.append(option)
        return subprocess.Popen([sys.executable, "-c", f"raise SystemExit({exit_status})"])

    note_node("here")
    runner = ChoreRunner(lambda: note_chores("here"), clock=lambda: now[0], start=start)
    runner.look(may_delete=True)
    now[0] = SWEEP_SECONDS
    runner.look(may_delete=False)
    assert options == []  # the clock is not trusted

    runner.look(may_delete=True)
    child = runner._child
    assert child is not None
    child.wait(60)
    runner.look(may_delete=True)

    assert options == ["--delete"]
    assert (last_chores() is not None) is is_noted
