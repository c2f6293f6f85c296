"""SIGSTOP of each process under three live broadcasts: what hangs is found, or outlived."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.live.airings import children, is_alive, three_airings
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

# In sentences of a second and a third: until each of four parts that hang is found out, ...
LONG_SHOW = 50
# ... and longer than a web or a control loop is held.
SHORT_SHOW = 24


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP now, SIGCONT at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_parts_that_hang_are_replaced_and_the_other_broadcasts_do_not_notice(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    with three_airings(studio, rtmp_server, "hang", sentences=LONG_SHOW) as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        for kind in ("face", "recorder", "pusher", "speech"):
            pid = hurt.send(kind, signal.SIGSTOP)
            assert hurt.pid(kind) != pid
            assert not is_alive(pid)
        for airing in airings:
            airing.wait_for_end()

        assert hurt.row["runner"]["lease_epoch"] == 1
        assert hurt.row["outputs"][0]["reconnects"] == 1
        assert hurt.heard()[-1] == hurt.heard()[0] + LONG_SHOW - 1
        hurt.check_transcript()
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)


def test_runner_that_hangs_is_killed_and_replaced(studio: Studio, rtmp_server: RtmpServer) -> None:
    with three_airings(studio, rtmp_server, "hang-runner") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        hurt.wait_for_said(3)
        children_of_it = [hurt.pid(kind) for kind in ("speech", "face", "pusher", "recorder")]
        pid = hurt.send("runner", signal.SIGSTOP)
        # It may come back for a minute: only then it is killed.
        wait_until(lambda: not is_alive(pid), "the hung runner is killed", seconds=150)
        hurt.pid("runner")
        wait_until(lambda: not any(map(is_alive, children_of_it)), "its children have ended")
        for airing in airings:
            airing.wait_for_end()

        hurt.check_transcript(cuts=1)
        hurt.check_heard_after_relaunch()
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)


def test_suspended_runner_jumps_with_the_clock_says_so_and_repeats_its_sentence(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    with three_airings(studio, rtmp_server, "suspend") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        with stopped(runners[0]):
            others[0].wait_for_said(len(others[0].said()) + 3)
        for airing in airings:
            airing.wait_for_end()

        rebased = max(hurt.events("clock.rebased"), key=lambda data: int(data["gap_ms"]))
        assert rebased["gap_ms"] > 2000
        assert (hurt.row["runner"]["pid"], hurt.row["runner"]["lease_epoch"]) == (runners[0], 1)
        cuts = hurt.row["metrics"]["rebases"]
        assert cuts == len(hurt.events("clock.rebased"))
        hurt.check_transcript(cuts=cuts)
        hurt.check_heard(cuts=cuts)
        times = [row["media_time_ms"] for row in hurt.said()]
        assert max(b - a for a, b in zip(times, times[1:], strict=False)) > rebased["gap_ms"]
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)


@pytest.mark.parametrize("word", ["daphne", "run_control"])
def test_web_or_control_loop_that_hangs_for_a_while_is_noticed_by_no_broadcast(
    studio: Studio, rtmp_server: RtmpServer, word: str
) -> None:
    with three_airings(studio, rtmp_server, f"hang-{word}", sentences=SHORT_SHOW) as airings:
        runners = [airing.pid("runner") for airing in airings]
        (pid,) = children(studio, word)
        with stopped(pid):
            count = len(airings[0].reader.recorded.pictures)
            # Twelve seconds: longer than a link waits for a word, longer than a lease.
            wait_until(
                lambda: len(airings[0].reader.recorded.pictures) > count + 300, "it stays on air"
            )
        studio.site.wait_for_web()
        for airing in airings:
            airing.wait_for_end()

        assert children(studio, word) == [pid]
        for airing, runner in zip(airings, runners, strict=True):
            airing.check_untouched(runner=runner)
