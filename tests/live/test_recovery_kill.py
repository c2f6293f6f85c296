"""kill -9 of each process under three live broadcasts: nothing is lost, nobody else notices."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from inference.engines.speech.testtone.decode import decode_tags
from tests.live.airings import SENTENCES, Airing, children, three_airings
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
        _check_recordings(hurt)
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


def _check_recordings(airing: Airing) -> None:
    """One file of each process; a sentence is where the media times say, in either."""
    listed = airing.studio.platform.call("GET", f"broadcasts/{airing.id}/recordings/")["results"]
    begins = sorted(row["media_time_ms"] for row in listed)
    folder = airing.studio.site.folder / "recordings" / airing.id
    before, after = sorted(folder.glob("*.mp4"))
    said = airing.said()
    assert len(begins) == 2
    for path, begin, row in ((before, begins[0], said[0]), (after, begins[1], said[-1])):
        starts = [start / 48 for start, _, _, _ in decode_tags(_sound(path))]
        wanted = row["media_time_ms"] - begin
        assert min(abs(start - wanted) for start in starts) < 40, (wanted, starts)


def _sound(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The left channel of a file, int16 at 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", 48_000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
