"""Packets on the pipe to a child."""

from __future__ import annotations

import pytest

from inference.media.packets import HEADER_BYTES, EncodedPacket, pack_packet, unpack_header


@pytest.mark.parametrize(
    "packet",
    [
        EncodedPacket("video", 2**40, 1920, True, b"\0\0\0\1abc"),
        EncodedPacket("video", 1920, 1920, False, b""),
        EncodedPacket("aac", -1024, 1024, True, b"sound"),
        EncodedPacket("opus", -120, 960, True, b"x" * 1000),
    ],
)
def test_packet_comes_back_with_exact_times(packet: EncodedPacket) -> None:
    raw = pack_packet(packet)

    stream, is_keyframe, size, pts, duration = unpack_header(raw[:HEADER_BYTES])
    data = raw[HEADER_BYTES:]
    assert len(data) == size
    assert EncodedPacket(stream, pts, duration, is_keyframe, data) == packet
