"""How fast RTP packets leave for one viewer."""

from __future__ import annotations

import pytest
from aiortc import RTCConfiguration

from inference.media.tracks import PacketTrack
from inference.runner.rtp_sender import Packetizer
from inference.runner.viewer import Pacer, Viewer


@pytest.fixture
def standing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a pacer no time passes while packets are cut."""
    monkeypatch.setattr("inference.runner.viewer.time.monotonic", lambda: 1000.0)


@pytest.mark.usefixtures("standing_time")
def test_pacer_spreads_what_is_more_than_a_burst() -> None:
    pacer = Pacer(800)

    waits = [pacer.spend(1200) for _ in range(22)]

    assert waits == pytest.approx([0.0] * 20 + [0.012, 0.024])


@pytest.mark.usefixtures("standing_time")
def test_packets_that_leave_together_wait_for_the_first_of_them() -> None:
    """One by one it would leave as soon; what comes after them waits for all."""
    pacer, alone = Pacer(800), Pacer(800)
    for bucket in (pacer, alone):
        assert [bucket.spend(1200) for _ in range(20)] == [0.0] * 20  # the burst

    together = [pacer.spend(1200, 3600), pacer.spend(1200, 0)]
    one_by_one = [alone.spend(1200) for _ in range(5)]

    assert together == pytest.approx([one_by_one[0], one_by_one[4]])


async def test_rest_of_a_picture_leaves_as_before_when_only_sound_goes_on() -> None:
    viewer = Viewer(
        "a",
        RTCConfiguration(iceServers=[]),
        PacketTrack("video", lambda: pytest.fail("nothing is sent here")),
        PacketTrack("audio", lambda: pytest.fail("nothing is sent here")),
        Packetizer(),
        bitrate_kbps=600,
        early=lambda pts: 0.0,
        on_picture_lost=lambda: None,
        on_closed=lambda *_: None,
    )
    speeds = []
    for kbps in (600, 0, 300):
        viewer.set_bitrate(kbps)
        speeds.append(viewer._pacer.bytes_per_second)
    await viewer.close()

    assert speeds == [112_500, 112_500, 56_250]
