"""A filmed presenter from the upload to the stream: what its networks paint is seen on air."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.rtmp_reader import Recorded, RtmpReader, SeenPicture
from inference.engines.face.musetalk.bundle import Film, open_bundle
from inference.engines.face.musetalk.prepared import open_prepared
from tests.inference.face.musetalk import portrait
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = pytest.mark.live

PROFILE, SIZE = "economy", (640, 360)
TEXT = "Good evening everybody and welcome to a show that was filmed only once."
FRAMES = 25
BLOCK_MS = 20
LOUD = 0.01
# A mouth comes and goes in 110 ms and stays 120 ms behind the sound. On a machine that is busy a
# picture comes up to four late, and is held for five more: at 10 a second 900 ms.
BEFORE_MS, AFTER_MS = 500, 2000
PAUSE_SECONDS = 4
# Mean grey levels of the mouth between a picture and the film: coding costs 1, stripes 20 and more.
UNTOUCHED, PAINTED = 4.0, 8.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The mouth of one decoded picture: its time in the stream, its distance from the film."""

    pts_ms: int
    distance: float


class Watcher:
    """Looks at the mouth of each picture and how far it is from every frame of the film."""

    def __init__(self, film: Film) -> None:
        (x0, y0), (x1, y1) = film.rois[:, :2].min(axis=0), film.rois[:, 2:].max(axis=0)
        self._part = np.s_[y0:y1, x0:x1]
        self._film = film.frames[:, y0:y1, x0:x1].astype(np.float32)
        self.seen: list[Seen] = []

    def see(self, frame: Any, picture: SeenPicture) -> None:
        plane = frame.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[self._part]
        distance = np.abs(self._film - luma).mean(axis=(1, 2)).min()
        self.seen.append(Seen(picture.pts_ms, float(distance)))


def loud_ms(recorded: Recorded) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Times in the stream of the 20 ms in which something is heard."""
    times = []
    for block in list(recorded.blocks):
        count = len(block.samples) // (48 * BLOCK_MS)
        parts = block.samples[: count * 48 * BLOCK_MS].reshape(count, -1)
        levels = np.sqrt((parts**2).mean(axis=1)) if count else np.zeros(0)
        times += [block.pts_ms + number * BLOCK_MS for number in np.flatnonzero(levels > LOUD)]
    return np.array(times, np.float64)


def build(studio: Studio, folder: Path) -> tuple[str, Path]:
    """Upload the drawn presenter as a film and wait for the real job: avatar and its bundle."""
    platform = studio.platform
    film = portrait.write_film(folder / "film.mp4", frames=FRAMES)
    points = portrait.write_landmarks(folder / "points.json")
    avatar = platform.upload_film("musetalk_tiny", film, points)

    def finished() -> Any:
        row = platform.call("GET", f"avatars/{avatar}/builds/")["results"][0]
        assert row["state"] in ("queued", "building", "ready"), row
        return row if row["state"] == "ready" else None

    version = wait_until(finished, "the presenter is built", seconds=180)
    assert version["facts"]["frames"] == FRAMES
    return avatar, studio.site.folder / "bundles" / avatar / version["id"]


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

    assert [line["state"] for line in said] == ["said"]
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
