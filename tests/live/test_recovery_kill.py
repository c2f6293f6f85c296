"""kill -9 of each process under three live broadcasts: nothing is lost, nobody else notices."""

from __future__ import annotations

import os
import signal

import pytest

from tests.live.airings import SENTENCES, children, three_airings
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]


@pytest.mark.parametrize("kind", ["speech", "face", "recorder", "pusher"])
def test_killed_part_comes_back_and_the_other_broadcasts_do_not_notice(
    studio: Studio, rtmp_server: RtmpServer, kind: str
) -> None:
    with three_airings(studio, rtmp_server, f"kill-{kind}") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        hurt.send(kind, signal.SIGKILL)
        hurt.pid(kind)  # another one lives
        for airing in airings:
            airing.wait_for_end()

        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)
        if kind == "pusher":
            assert hurt.row["outputs"][0]["reconnects"] == 1
            assert hurt.heard()[-1] == hurt.heard()[0] + SENTENCES - 1
            hurt.check_transcript()
        else:
            hurt.check_untouched(runner=runners[0])


def test_killed_runner_goes_on_at_its_sentence_and_the_others_do_not_notice(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    with three_airings(studio, rtmp_server, "kill-runner") as airings:
        runners = [airing.pid("runner") for airing in airings]
        hurt, *others = airings
        hurt.wait_for_said(3)
        hurt.send("runner", signal.SIGKILL)
        for airing in airings:
            airing.wait_for_end()

        assert hurt.row["runner"]["lease_epoch"] == 2
        hurt.check_transcript(cuts=1)
        hurt.check_heard_after_relaunch()
        for airing, runner in zip(others, runners[1:], strict=True):
            airing.check_untouched(runner=runner)


@pytest.mark.parametrize("word", ["daphne", "run_control"])
def test_killed_web_or_control_loop_is_noticed_by_no_broadcast(
    studio: Studio, rtmp_server: RtmpServer, word: str
) -> None:
    with three_airings(studio, rtmp_server, f"kill-{word}") as airings:
        runners = [airing.pid("runner") for airing in airings]
        (pid,) = children(studio, word)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(children(studio, word)) - {pid}, f"{word} is started again")
        studio.site.wait_for_web()
        for airing in airings:
            airing.wait_for_end()

        for airing, runner in zip(airings, runners, strict=True):
            airing.check_untouched(runner=runner)
