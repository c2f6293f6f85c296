"""The machine's clock is set wrong and right again while shows are due and on air.

The whole control loop runs round by round on a time of the test; the jump comes between a runner's
heartbeat and the loop's next look at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from inference.protocol import Heartbeat
from streams import control_loop
from streams.control_loop import ControlLoop, Every, Health
from streams.models import Broadcast, BroadcastState, Occurrence, Show
from streams.models.schedule import OccurrenceState
from streams.services.launching import launch_due, plan_relaunch
from streams.services.runner_link import renew_lease
from streams.services.schedule import replace_schedule
from streams.states import move
from tests.factories import Cast
from tests.streams.launcher import PaperLauncher
from tests.streams.plans import make_show, put_live

pytestmark = pytest.mark.django_db

STEP_SECONDS = 5.0  # a lease lasts 10
# Wall times at which it begins: an ordinary day, and four minutes before Berlin's clocks change.
ORDINARY = datetime(2027, 6, 9, 12, 0, tzinfo=UTC)
INTO_WINTER = datetime(2027, 10, 31, 0, 56, tzinfo=UTC)
INTO_SUMMER = datetime(2027, 3, 28, 0, 56, tzinfo=UTC)


class Machine:
    """A machine with a control loop, one runner on air, and a clock that can be set."""

    def __init__(self, wall: datetime, on_air: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.passed = wall, 0.0
        self.launcher = PaperLauncher()
        self.on_air = on_air
        monkeypatch.setattr(timezone, "now", lambda: self.wall)
        monkeypatch.setattr(control_loop, "close_old_connections", lambda: None)
        self.loop = ControlLoop(self.launcher)
        self.loop._health = Health(lambda: self.passed, lambda: self.wall.timestamp())
        self.loop._slow = Every(0.0)
        self._beat()

    def run(self, seconds: float) -> None:
        """Rounds of the loop, the runner's heartbeats after every one."""
        until = self.passed + seconds
        while self.passed < until:
            self.passed += STEP_SECONDS
            self.wall += timedelta(seconds=STEP_SECONDS)
            self.loop.run_once()
            self._beat()

    def set_clock(self, hours: int) -> None:
        self.wall += timedelta(hours=hours)

    def _beat(self) -> None:
        for row in Broadcast.objects.filter(lease_epoch__gt=0):
            renew_lease(row.pk, row.lease_epoch, Heartbeat({}))


@pytest.fixture
def loop_of() -> Iterator[list[Machine]]:
    machines: list[Machine] = []
    yield machines
    for machine in machines:
        machine.loop.close()


def machine_at(
    wall: datetime, cast: Cast, monkeypatch: pytest.MonkeyPatch, machines: list[Machine]
) -> Machine:
    with monkeypatch.context() as early:
        early.setattr(timezone, "now", lambda: wall)
        on_air = put_live(cast, title="On air")
        launcher = PaperLauncher()
        Broadcast.objects.filter(pk=on_air.pk).update(state=BroadcastState.STARTING)
        assert launch_due(launcher) == 1
        on_air.refresh_from_db()
        assert move(on_air, BroadcastState.LIVE)
    machine = Machine(wall, on_air, monkeypatch)
    machine.launcher.started = launcher.started
    machines.append(machine)
    machine.run(40)  # a fence period of health: from now on the loop judges
    return machine


def planned(cast: Cast, at: datetime) -> Show:
    """A show of every day in Berlin whose first airing is then."""
    show = make_show(cast.organization, cast.alice, title=f"{at:%H:%M:%S}")
    local = at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    fields = {"starts_at_local": local.isoformat(), "timezone": "Europe/Berlin"}
    replace_schedule(show, {**fields, "rrule": "FREQ=DAILY"})
    return show


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("wall", [ORDINARY, INTO_WINTER, INTO_SUMMER])
def test_shows_start_once_and_what_is_on_air_does_not_notice(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    loop_of: list[Machine],
    wall: datetime,
    hours: int,
) -> None:
    machine = machine_at(wall, cast, monkeypatch, loop_of)
    starts = [machine.wall + timedelta(seconds=after) for after in (20, 50, 170)]
    shows = [planned(cast, at) for at in starts]

    machine.run(30)  # the first is due
    machine.set_clock(hours)
    machine.run(60)  # the second is, by the right clock
    machine.set_clock(-hours)
    machine.run(120)  # and the third

    on_air = machine.on_air
    on_air.refresh_from_db()
    assert (on_air.state, on_air.lease_epoch) == (BroadcastState.LIVE, 1)
    assert machine.launcher.stopped == []
    assert not on_air.events.filter(kind="broadcast.recovering").exists()
    for show, at in zip(shows, starts, strict=True):
        rows = Occurrence.objects.filter(show=show, starts_at__lte=machine.wall)
        assert [(row.starts_at, row.state) for row in rows] == [(at, OccurrenceState.STARTED)]
        assert show.broadcasts.count() == 1


def test_hung_runner_is_still_found_after_a_jump(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, loop_of: list[Machine]
) -> None:
    machine = machine_at(ORDINARY, cast, monkeypatch, loop_of)
    machine.set_clock(1)
    machine.run(10)
    monkeypatch.setattr(machine, "_beat", lambda: None)

    machine.run(50)
    assert machine.launcher.stopped == []
    machine.run(30)

    assert machine.launcher.stopped[0] == (1, True)


def test_relaunch_does_not_wait_for_a_clock_that_was_ahead(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, loop_of: list[Machine]
) -> None:
    machine = machine_at(ORDINARY, cast, monkeypatch, loop_of)
    machine.set_clock(1)
    machine.launcher.kill_last()
    row = Broadcast.objects.get(pk=machine.on_air.pk)
    plan_relaunch(row, None, "killed")
    assert Broadcast.objects.get(pk=row.pk).next_launch_at > ORDINARY + timedelta(minutes=30)
    machine.set_clock(-1)

    machine.run(STEP_SECONDS)

    assert len(machine.launcher.started) == 2
