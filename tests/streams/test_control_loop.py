"""The loop itself: what it may judge, and that nothing but a stop ends it."""

from __future__ import annotations

import http.server
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from avatars.models import Avatar, AvatarBuild
from inference.builds import BuildEvent
from streams import control_loop
from streams.control_loop import ControlLoop, Health, web_is_well
from streams.models import Broadcast
from streams.services import retention, supervision
from streams.services.idle_loops import IdleLoopBuilder
from streams.services.lifecycle import start_broadcast
from tests.factories import Cast
from tests.streams.launcher import PaperLauncher
from tests.streams.plans import make_show


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_judged_before_a_whole_fence_period_of_health() -> None:
    clock = Clock()
    health = Health(clock)

    clock.now += 29
    assert not health.may_judge
    clock.now += 1
    assert health.may_judge
    health.note("web", is_well=False)
    assert not health.may_judge
    clock.now += 30
    assert health.may_judge
    health.note("database", is_well=False)
    health.note("database", is_well=True)
    assert not health.may_judge


def test_a_round_launches_what_was_started(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    # In a test's transaction it would close the connection that the test still needs.
    monkeypatch.setattr(control_loop, "close_old_connections", lambda: None)
    launcher = PaperLauncher()
    start_broadcast(show=make_show(cast.organization, cast.alice), actor=cast.alice)

    loop = ControlLoop(launcher)
    loop.run_once()
    loop.close()

    assert len(launcher.started) == 1
    assert Broadcast.objects.get().lease_epoch == 1


def test_old_files_are_swept_once_the_clock_is_trusted(
    db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(control_loop, "close_old_connections", lambda: None)
    settings.RUNS_DIR = tmp_path
    old = tmp_path / str(uuid.uuid4())
    old.mkdir()
    os.utime(old, (0, 0))
    loop = ControlLoop(PaperLauncher())

    loop.run_once()
    assert old.exists()
    monkeypatch.setattr(retention, "STEADY_SECONDS", 0.0)
    loop._rare_round()
    loop.close()

    assert not old.exists()


class FinishedJob:
    """A build whose child has left its bundle."""

    def poll(self) -> list[BuildEvent]:
        return [BuildEvent("done", {"clips": []})]

    def reap(self) -> None: ...

    def cancel(self) -> None: ...


def test_loop_of_a_new_version_is_drawn_in_the_round_that_finds_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = ControlLoop(PaperLauncher())
    show = make_show(cast.organization, cast.alice)
    build = AvatarBuild.objects.create(avatar=show.avatar, number=1, state="building")
    drawn: list[tuple[str, ...]] = []
    monkeypatch.setattr(IdleLoopBuilder, "_start", lambda _, look: drawn.append(look))
    loop._slow_round()
    assert drawn == []

    job: Any = FinishedJob()
    loop._avatars._build, loop._avatars._job = build, job
    loop._slow_round()
    loop.close()

    assert len(drawn) == 1
    assert AvatarBuild.objects.get().is_current


def test_loop_that_stops_gives_its_build_back(cast: Cast) -> None:
    avatar = Avatar.objects.filter(organization=cast.organization)[0]
    build = AvatarBuild.objects.create(avatar=avatar, number=1, state="building")
    loop = ControlLoop(PaperLauncher())
    job: Any = FinishedJob()
    loop._avatars._build, loop._avatars._job = build, job

    loop.close()

    assert AvatarBuild.objects.get().state == "queued"


def run_rounds(monkeypatch: pytest.MonkeyPatch, step: Callable[[ControlLoop, int], None]) -> None:
    """Run a loop whose rounds call `step`, without pauses."""
    monkeypatch.setattr(control_loop, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(control_loop, "SLOW_ROUND_SECONDS", 0.0)
    monkeypatch.setattr(control_loop, "close_old_connections", lambda: None)
    loop = ControlLoop(PaperLauncher())
    count = [0]

    def round_(_: Any) -> int:
        count[0] += 1
        step(loop, count[0])
        return 0

    monkeypatch.setattr(supervision, "note_deaths", round_)
    loop.run()


def test_loop_survives_failures_and_ends_when_told(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    def step(loop: ControlLoop, number: int) -> None:
        rounds.append(number)
        if number == 1:
            raise OperationalError("the server has gone away")
        if number == 2:
            raise LookupError("one bad row")
        loop.stop()

    run_rounds(monkeypatch, step)

    assert rounds == [1, 2, 3]


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (404, True), (503, False)])
def test_web_is_well_when_it_answers(settings: Any, status: int, is_well: bool) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        settings.RUNNER_LINK_URL = f"ws://127.0.0.1:{server.server_port}/ws/v1/runner/"
        assert web_is_well() is is_well


def test_web_that_is_gone_is_not_well(settings: Any) -> None:
    settings.RUNNER_LINK_URL = "ws://127.0.0.1:9/ws/v1/runner/"

    assert not web_is_well()
