"""A whole broadcast whose mouths a model server paints: killed on air, missed, and back again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rtmp_reader import RtmpReader
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import open_prepared
from tests.live.painted import PAINTED, UNTOUCHED, Watcher, build, loud_ms
from tests.live.site import wait_until
from tests.live.studio import Studio, open_studio
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

PROFILE, SIZE = "economy", (640, 360)
TEXT = "Good evening everybody and welcome to a show that goes on whatever becomes of its painter."
# In a row: a busy machine now and then misses a mouth.
PICTURES = 8


@pytest.fixture
def served() -> Iterator[Studio]:
    """An installation of its own, because all its filmed presenters are painted by a server."""
    servers = "cpu/musetalk_tiny/v1.5/kl"
    with open_studio(FACE_NETWORKS="server", MODEL_SERVERS=servers) as studio:
        yield studio


def painter(studio: Studio, *, but: int = 0) -> int:
    """The process of the model server, as soon as one other than `but` is ready."""
    status = studio.site.folder / "gpu" / "0.json"

    def pid() -> int:
        said: dict[str, Any] = json.loads(status.read_text()) if status.exists() else {}
        is_another = said.get("state") == "ready" and said["pid"] != but
        return int(said["pid"]) if is_another else 0

    return int(wait_until(pid, "a model server is ready"))


def painted_since(watcher: Watcher, after_ms: int) -> list[int]:
    return [p.pts_ms for p in watcher.seen if p.pts_ms > after_ms and p.distance > PAINTED]


def longest_rest(watcher: Watcher, first_ms: int, last_ms: int) -> tuple[int, int]:
    """Times of the first and last of the longest row of pictures with the film's own mouth."""
    rows: list[list[int]] = [[]]
    for picture in [p for p in watcher.seen if first_ms <= p.pts_ms <= last_ms]:
        if picture.distance < UNTOUCHED:
            rows[-1].append(picture.pts_ms)
        else:
            rows.append([])
    longest = max(rows, key=len)
    assert len(longest) >= PICTURES, rows
    return longest[0], longest[-1]


def test_show_goes_on_with_the_films_mouth_while_the_model_server_is_gone(
    served: Studio, rtmp_server: RtmpServer, tmp_path: Path
) -> None:
    """What is judged is what arrives at the platform, by the stream's own times."""
    avatar, folder = build(served, tmp_path)
    watcher = Watcher(open_prepared(open_bundle(folder), *SIZE, tmp_path))
    platform, first = served.platform, painter(served)
    show = platform.make_show(
        avatar=avatar, voice=platform.make_voice("espeak"), profile=PROFILE,
        outputs=[platform.make_output(rtmp_server.push_url, "served")],
        overlays={"captions": False}, rundown_mode="loop", cues=[{"text": TEXT}],
    )  # fmt: skip

    reader = RtmpReader(rtmp_server.url("served"), wants_cards=False, on_picture=watcher.see)
    with reader, platform.on_air(show) as broadcast:
        wait_until(lambda: len(painted_since(watcher, 0)) > PICTURES, "mouths are painted")
        os.kill(first, signal.SIGKILL)
        killed_ms = watcher.seen[-1].pts_ms
        painter(served, but=first)
        ready_ms = watcher.seen[-1].pts_ms
        wait_until(lambda: len(painted_since(watcher, ready_ms)) > PICTURES, "mouths come back")
        on_air = platform.broadcast(broadcast)
        told = platform.call("GET", f"broadcasts/{broadcast}/events/?kind=worker")["results"]

    rest = longest_rest(watcher, killed_ms, painted_since(watcher, ready_ms)[PICTURES])
    heard = [at for at in loud_ms(reader.recorded) if rest[0] < at < rest[1]]
    assert heard, "nobody spoke meanwhile"
    assert on_air["state"] == "live"
    assert [output["reconnects"] for output in on_air["outputs"]] == [0]
    reasons = [str(event["data"].get("reason")) for event in told]
    assert any("model server" in reason for reason in reasons), told
