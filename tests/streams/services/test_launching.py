"""Runners are launched once per epoch, again after a confirmed death, and not for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from inference.models import Runner
from inference.services import active_runners
from inference.tokens import RunClaim, RunTokenError, make_run_token, read_run_token
from streams.models import Broadcast, BroadcastState
from streams.services import launching
from streams.services.launching import MAX_LAUNCHES, launch_due
from streams.services.lifecycle import start_broadcast, stop_broadcast
from streams.services.supervision import finish_stopped, mend_orphans, note_deaths
from tests.factories import Cast
from tests.streams.launcher import PaperLauncher
from tests.streams.plans import make_show


@pytest.fixture
def launcher() -> PaperLauncher:
    return PaperLauncher()


@pytest.fixture
def starting(cast: Cast) -> Broadcast:
    show = make_show(cast.organization, cast.alice)
    return start_broadcast(show=show, actor=cast.alice)


def make_due(broadcast: Broadcast) -> None:
    """The back-off pause is over."""
    rows = Broadcast.objects.filter(pk=broadcast.pk, next_launch_at__isnull=False)
    rows.update(next_launch_at=timezone.now() - timedelta(seconds=1))


def test_started_broadcast_is_launched_once(starting: Broadcast, launcher: PaperLauncher) -> None:
    assert launch_due(launcher) == 1
    assert launch_due(launcher) == 0

    starting.refresh_from_db()
    request = launcher.started[0]
    assert (starting.lease_epoch, starting.launch_attempts) == (1, 1)
    assert (request.broadcast, request.lease_epoch) == (str(starting.pk), 1)
    assert read_run_token(request.token) == RunClaim(str(starting.pk), 1)
    assert Path(request.run_folder).name == str(starting.pk)


def test_of_two_loops_that_saw_it_due_one_launches(
    starting: Broadcast, launcher: PaperLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = launching._due(timezone.now())
    assert [row.pk for row in seen] == [starting.pk]
    monkeypatch.setattr(launching, "_due", lambda _: list(seen))

    assert [launch_due(launcher), launch_due(launcher)] == [1, 0]
    assert Runner.objects.count() == 1


def test_stopped_before_its_launch_is_ended_without_one(
    starting: Broadcast, launcher: PaperLauncher, cast: Cast
) -> None:
    stop_broadcast(broadcast=starting, actor=cast.alice)

    assert launch_due(launcher) == 0
    assert finish_stopped() == 1
    starting.refresh_from_db()
    assert starting.state == BroadcastState.ENDED


def test_death_on_air_leads_to_a_relaunch_with_the_next_epoch(
    starting: Broadcast, launcher: PaperLauncher
) -> None:
    launch_due(launcher)
    Broadcast.objects.update(state="live", first_frame_at=timezone.now())
    launcher.kill_last()

    assert note_deaths(launcher) == 1
    starting.refresh_from_db()
    assert starting.state == BroadcastState.RECOVERING
    assert "killed by SIGKILL" in starting.reason
    make_due(starting)
    assert launch_due(launcher) == 1
    assert [request.lease_epoch for request in launcher.started] == [1, 2]
    assert note_deaths(launcher) == 0


def test_quick_deaths_end_in_failure_with_the_reason(
    starting: Broadcast, launcher: PaperLauncher
) -> None:
    for _ in range(MAX_LAUNCHES + 2):
        launch_due(launcher)
        launcher.kill_last("exit status 2")
        note_deaths(launcher)
        make_due(starting)

    starting.refresh_from_db()
    assert len(launcher.started) == MAX_LAUNCHES
    assert starting.state == BroadcastState.FAILED
    assert "exit status 2" in starting.reason
    assert starting.active_key is None


@pytest.mark.usefixtures("still_clock")
def test_pauses_between_launches_grow(
    starting: Broadcast, launcher: PaperLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching.random, "uniform", lambda *_: 1.0)
    pauses = []
    for _ in range(MAX_LAUNCHES - 1):
        launch_due(launcher)
        launcher.kill_last()
        before = timezone.now()
        note_deaths(launcher)
        starting.refresh_from_db()
        assert starting.next_launch_at is not None
        pauses.append(round((starting.next_launch_at - before).total_seconds(), 1))
        make_due(starting)

    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0]


def test_runner_that_was_long_on_air_begins_a_new_row_of_launches(
    starting: Broadcast, launcher: PaperLauncher
) -> None:
    launch_due(launcher)
    long_ago = timezone.now() - timedelta(minutes=5)
    Runner.objects.update(live_at=long_ago)
    Broadcast.objects.update(state="live", first_frame_at=long_ago, launch_attempts=MAX_LAUNCHES)
    launcher.kill_last()

    note_deaths(launcher)

    starting.refresh_from_db()
    assert (starting.state, starting.launch_attempts) == ("recovering", 0)


def test_failed_launch_counts_as_a_death(starting: Broadcast, launcher: PaperLauncher) -> None:
    launcher.is_broken = True

    assert launch_due(launcher) == 0

    starting.refresh_from_db()
    assert starting.state == BroadcastState.STARTING
    assert starting.next_launch_at is not None
    assert not active_runners().exists()


def test_loop_that_died_between_claim_and_process_is_made_good(
    starting: Broadcast, launcher: PaperLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(launching, "start_runner", die)
        with pytest.raises(KeyboardInterrupt):
            launch_due(launcher)
    assert note_deaths(launcher) == 0  # it may just be starting
    Runner.objects.update(started_at=timezone.now() - timedelta(seconds=20))

    assert note_deaths(launcher) == 1
    make_due(starting)
    assert launch_due(launcher) == 1
    assert launcher.started[0].lease_epoch == 2


def test_launch_that_was_given_up_while_it_began_starts_no_second_process(
    starting: Broadcast, launcher: PaperLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is so busy another loop does not know whether the first one lives."""
    other, start = PaperLauncher(), launcher.start

    def start_late(*arguments: Any) -> Any:
        Runner.objects.update(started_at=timezone.now() - timedelta(seconds=20))
        assert note_deaths(other) == 1
        make_due(starting)
        assert launch_due(other) == 1
        return start(*arguments)

    monkeypatch.setattr(launcher, "start", start_late)

    assert launch_due(launcher) == 0

    starting.refresh_from_db()
    first, second = Runner.objects.order_by("lease_epoch")
    assert (first.state, first.handle, second.state) == ("ended", {}, "running")
    assert (starting.lease_epoch, starting.next_launch_at) == (2, None)


def test_launches_are_claimed_in_their_turn(
    cast: Cast, starting: Broadcast, launcher: PaperLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_broadcast(show=make_show(cast.organization, cast.alice), actor=cast.alice)
    claimed, start = [], launcher.start

    def count(*arguments: Any) -> Any:
        claimed.append(Runner.objects.count())
        return start(*arguments)

    monkeypatch.setattr(launcher, "start", count)

    assert launch_due(launcher) == 2
    assert claimed == [1, 2]


def test_broadcast_without_any_process_is_mended(
    starting: Broadcast, launcher: PaperLauncher
) -> None:
    launch_due(launcher)
    Runner.objects.all().delete()

    assert mend_orphans() == 1
    make_due(starting)
    assert launch_due(launcher) == 1


@pytest.mark.parametrize("token", ["", "x", make_run_token.__name__])
def test_forged_run_token_is_refused(token: str) -> None:
    with pytest.raises(RunTokenError):
        read_run_token(token)


def test_run_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_run_token("b", 1)
    monkeypatch.setattr("inference.tokens.LIFETIME_SECONDS", -1)

    with pytest.raises(RunTokenError):
        read_run_token(token)
