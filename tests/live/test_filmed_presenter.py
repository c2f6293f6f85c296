"""A filmed presenter from the upload to the stream: what its networks paint is seen on air."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rtmp_reader import RtmpReader
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import open_prepared
from tests.live.painted import BLOCK_MS, PAINTED, UNTOUCHED, Watcher, build, loud_ms
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = pytest.mark.live

PROFILE, SIZE = "economy", (640, 360)
TEXT = "Good evening everybody and welcome to a show that was filmed only once."
# A mouth comes and goes in 110 ms and stays 120 ms behind the sound. On a machine that is busy a
# picture comes up to four late, and is held for five more: at 10 a second 900 ms.
BEFORE_MS, AFTER_MS = 500, 2000
PAUSE_SECONDS = 4


def test_uploaded_film_is_built_and_its_painted_mouth_is_on_air(
    studio: Studio, rtmp_server: RtmpServer, tmp_path: Path
) -> None:
    """What is judged is what arrives: sound and pictures of one stream, by its own times."""
    avatar, folder = build(studio, tmp_path)
    watcher = Watcher(open_prepared(open_bundle(folder), *SIZE, tmp_path))
    platform = studio.platform
    show = platform.make_show(
        avatar=avatar,
        voice=platform.make_voice("espeak"),
        profile=PROFILE,
        outputs=[platform.make_output(rtmp_server.push_url, "filmed")],
        overlays={"captions": False},
        cues=[{"kind": "pause", "pause_seconds": PAUSE_SECONDS}, {"text": TEXT}],
    )

    reader = RtmpReader(rtmp_server.url("filmed"), wants_cards=False, on_picture=watcher.see)
    with reader, platform.on_air(show) as broadcast:
        platform.wait_until_idle(broadcast)
        until = watcher.seen[-1].pts_ms + AFTER_MS + 1500
        wait_until(lambda: watcher.seen[-1].pts_ms > until, "seconds of silence")
        said = platform.utterances(broadcast)
        events = f"broadcasts/{broadcast}/events/"
        jumps = platform.call("GET", f"{events}?kind=clock.rebased")["results"]

    # A machine that stood still cuts the sentence, which is then said again.
    states = [line["state"] for line in said]
    assert states == ["interrupted"] * (len(states) - 1) + ["said"]
    assert len(states) - 1 <= len(jumps), jumps
    loud = loud_ms(reader.recorded)
    assert len(loud) * BLOCK_MS > 2000
    # What stands in until the networks are loaded is the film, from the first picture on.
    pictures = watcher.seen
    assert pictures[0].distance < UNTOUCHED
    before = [p for p in pictures if p.pts_ms < loud[0] - BEFORE_MS]
    after = [p for p in pictures if p.pts_ms > loud[-1] + AFTER_MS]
    assert min(len(before), len(after)) >= 5
    assert max(p.distance for p in before + after) < UNTOUCHED, before + after
    # A machine that is busy shows mouths late, for longer, or now and then not; it shows them.
    spoken = [p for p in pictures if loud[0] + 200 <= p.pts_ms <= loud[-1] - 100]
    painted = [p for p in spoken if p.distance > PAINTED]
    assert len(painted) >= 0.25 * len(spoken) > 2, spoken
    assert len({round(p.distance, 1) for p in painted}) > 1  # not one picture that stands still
