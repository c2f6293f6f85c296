"""Several outputs of one broadcast: what fails at one of them never reaches the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from benchmarks.rtmp_reader import RtmpReader, SeenPicture
from tests.live.proxy import Proxy
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = pytest.mark.live

FRAMES_PER_SECOND = 15


def test_three_failing_outputs_take_no_frame_from_the_others(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    platform = studio.platform
    with Proxy(rtmp_server.port) as stalling, Proxy(rtmp_server.port) as dropping:
        urls = {
            "good": rtmp_server.push_url,
            "refused": rtmp_server.refusing_url,
            "stalled": f"rtmp://127.0.0.1:{stalling.port}/live",
            "dropped": f"rtmp://127.0.0.1:{dropping.port}/live",
        }
        outputs = {name: platform.make_output(url, f"out-{name}") for name, url in urls.items()}
        show = studio.make_small_show(rundown_mode="loop")
        platform.call("PATCH", f"shows/{show}/", {"outputs": [*outputs.values()], "record": True})
        with RtmpReader(rtmp_server.url("out-good")) as reader, platform.on_air(show) as broadcast:
            _wait_for_states(studio, broadcast, good="live", stalled="live", dropped="live")
            stalling.freeze()
            dropping.hang_up()
            _wait_for_states(studio, broadcast, refused="failed")
            wait_until(lambda: dropping.accepted >= 2, "the dropped output connects again")
            _wait_for_states(studio, broadcast, dropped="live")
            count = len(reader.recorded.pictures)
            wait_until(
                lambda: len(reader.recorded.pictures) > count + 75, "5 s more at the good one"
            )
            told = {row["name"]: row for row in platform.broadcast(broadcast)["outputs"]}
        pictures = list(reader.recorded.pictures)

    assert (told["out-good"]["state"], told["out-good"]["reconnects"]) == ("live", 0)
    assert told["out-good"]["dropped"] == 0
    assert told["out-good"]["bitrate_kbps"] > 0
    assert told["out-dropped"]["reconnects"] >= 1
    assert "key" in told["out-refused"]["reason"]
    _check_same_frames(pictures, _recorded_ms(studio, broadcast))
    clocks = [picture.card.clock_ms for picture in pictures if picture.card]
    assert clocks == sorted(clocks)
    assert all(picture.card for picture in pictures[-60:])


def _wait_for_states(studio: Studio, broadcast: str, **wanted: str) -> None:
    def is_so(row: dict[str, Any]) -> bool:
        states = {output["name"].removeprefix("out-"): output["state"] for output in row["outputs"]}
        return wanted.items() <= states.items()

    studio.platform.wait_for(broadcast, is_so, f"showing outputs as {wanted}", 240)


def _check_same_frames(pictures: list[SeenPicture], recorded_ms: list[float]) -> None:
    """Between two keyframes that both have, output and recording hold the same pictures.

    The recording is the witness of what was encoded: on a busy machine the runner skips pictures
    for everybody. Both count from their own first picture.
    """
    pushed = [picture.pts_ms for picture in pictures]
    steps = [after - before for before, after in zip(pushed, pushed[1:], strict=False)]
    witness = [after - before for before, after in zip(recorded_ms, recorded_ms[1:], strict=False)]
    frame_ms = 1000 / FRAMES_PER_SECOND
    counts = [round(step / frame_ms) for step in steps]
    expected = [round(step / frame_ms) for step in witness]
    assert min(counts) >= 1
    assert _contains(expected, counts), (counts, expected)


def _contains(whole: list[int], part: list[int]) -> bool:
    """Whether `part` stands in `whole` without a break; their ends may differ by two seconds."""
    slack = FRAMES_PER_SECOND * 4
    for start in range(slack):
        for end in range(slack):
            cut = part[start : len(part) - end]
            if len(cut) > len(part) // 2 and _find(whole, cut):
                return True
    return False


def _find(whole: list[int], part: list[int]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _recorded_ms(studio: Studio, broadcast: str) -> list[float]:
    """Times of the pictures in the recording."""
    (path,) = Path(studio.site.folder / "recordings" / broadcast).rglob("*.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [
            float(packet.pts * packet.time_base) * 1000
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]
    assert times == sorted(times)
    return times
