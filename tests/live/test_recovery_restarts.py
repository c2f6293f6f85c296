"""The web is restarted again and again; parts die together; the picture goes on."""

from __future__ import annotations

import os
import signal

import pytest

from tests.live.airings import children, three_airings
from tests.live.site import wait_until
from tests.live.studio import Studio, open_parts
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

RESTARTS = 20
# In sentences of a second and a third: longer than the restarts take on a busy machine.
LONG_SHOW = 80


def test_twenty_restarts_of_the_web_lose_no_picture_and_no_sentence(
    rtmp_server: RtmpServer,
) -> None:
    with (
        open_parts() as (studio, parts),
        three_airings(studio, rtmp_server, "restarts", sentences=LONG_SHOW) as airings,
    ):
        runners = [airing.pid("runner") for airing in airings]
        for _ in range(RESTARTS):
            parts.restart_web()
        assert all(airing.row["state"] == "live" for airing in airings)
        for airing in airings:
            airing.wait_for_end()

        for airing, runner in zip(airings, runners, strict=True):
            airing.check_untouched(runner=runner)
            # A loaded machine may skip pictures, and counts them; the network may lose none.
            assert airing.missing_pictures() <= airing.row["metrics"]["dropped"]


def test_all_parts_of_one_broadcast_die_at_once(studio: Studio, rtmp_server: RtmpServer) -> None:
    with three_airings(studio, rtmp_server, "all-parts") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        kinds = ("speech", "face", "recorder", "pusher")
        pids = {kind: hurt.pid(kind) for kind in kinds}
        hurt.hurt.extend(pids.values())
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        for kind in kinds:
            hurt.pid(kind)
        for airing in airings:
            airing.wait_for_end()

        assert hurt.row["runner"]["lease_epoch"] == 1
        hurt.check_transcript()
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)


def test_all_runners_and_the_web_die_at_once(studio: Studio, rtmp_server: RtmpServer) -> None:
    with three_airings(studio, rtmp_server, "all-runners") as airings:
        for airing in airings:
            airing.wait_for_said(2)
        (web,) = children(studio, "daphne")
        pids = [airing.pid("runner") for airing in airings]
        for pid in (*pids, web):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(children(studio, "daphne")) - {web}, "the web is started again")
        studio.site.wait_for_web()
        for airing in airings:
            airing.wait_for_end()

        for airing in airings:
            assert airing.row["runner"]["lease_epoch"] == 2
            airing.check_transcript(cuts=1)
            airing.check_heard_after_relaunch()


def test_runner_dies_while_web_and_control_loop_are_dead(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    with three_airings(studio, rtmp_server, "dead-control") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        hurt.wait_for_said(2)
        pids = [*children(studio, "run_control"), *children(studio, "daphne"), runners[0]]
        assert len(pids) == 3
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        studio.site.wait_for_web()
        for airing in airings:
            airing.wait_for_end()

        assert hurt.row["runner"]["lease_epoch"] == 2
        hurt.check_transcript(cuts=1)
        hurt.check_heard_after_relaunch()
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)
