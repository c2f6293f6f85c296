"""What the encoders put out, read back by a decoder."""

from __future__ import annotations

from collections.abc import Iterable

import av
import numpy as np
import pytest

from inference.media.encoder import (
    AAC_FRAME_SAMPLES,
    AacEncoder,
    EncoderError,
    OpusEncoder,
    Samples,
    VideoEncoder,
    VideoSettings,
)
from inference.media.packets import EncodedPacket
from inference.media.ring import Picture
from inference.protocol import RenditionSpec

SPEC = RenditionSpec("main", 320, 180, 1920, 500)


def picture(brightness: int) -> Picture:
    made = np.full((270, 320), 128, np.uint8)
    made[:180] = brightness
    return made


def decode_sound(
    codec: str, packets: Iterable[EncodedPacket], extradata: bytes
) -> tuple[int, np.ndarray]:
    """(pts of the first sample, samples of one channel in -1..1), nothing skipped or trimmed."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.extradata = extradata
    context.sample_rate = 48_000
    context.layout = "stereo" if codec == "aac" else "mono"
    packets = list(packets)
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.data))]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return packets[0].pts, sound.astype(np.float32)


def click(length: int, at: int) -> Samples:
    sound = np.zeros(length, np.int16)
    sound[at : at + 480] = (20_000 * np.sin(np.arange(480) / 4)).astype(np.int16)
    return sound


def onset(sound: np.ndarray) -> int:
    return int(np.argmax(np.abs(sound) > 0.1))


def test_picture_comes_back_with_its_pts_and_tags() -> None:
    encoder = VideoEncoder(SPEC)
    packets = [encoder.encode(picture(20 * n), n) for n in range(10)]
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = encoder.parameter_sets
    frames = [f for p in packets for f in decoder.decode(av.Packet(p.data))] + decoder.decode(None)

    assert [p.pts for p in packets] == [n * 1920 for n in range(10)]
    assert [p.is_keyframe for p in packets] == [True] + [False] * 9
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        assert abs(float(frame.to_ndarray()[:180].mean()) - 20 * number) < 4
    assert (frames[0].colorspace, frames[0].color_primaries, frames[0].color_trc) == (6, 6, 6)


def test_stream_is_constrained_baseline_with_global_headers() -> None:
    encoder = VideoEncoder(SPEC)
    packet = encoder.encode(picture(0), 0)
    units = [unit for unit in encoder.parameter_sets.split(b"\0\0\0\1") if unit]

    assert [unit[0] & 31 for unit in units] == [7, 8]  # SPS, PPS
    assert units[0][1] == 66  # baseline
    assert units[0][2] & 0x40  # constrained
    assert b"\0\0\0\1" + units[0] not in packet.data


def test_keyframe_every_two_seconds() -> None:
    encoder = VideoEncoder(SPEC)
    keys = [n for n in range(101) if encoder.encode(picture(n), n).is_keyframe]

    assert keys == [0, 50, 100]


def test_requested_keyframe_keeps_half_a_second_of_distance() -> None:
    encoder = VideoEncoder(SPEC)
    keys = []
    for number in range(40):
        if number in (3, 4, 20):
            encoder.request_keyframe()
        if encoder.encode(picture(number), number).is_keyframe:
            keys.append(number)

    assert keys == [0, 13, 26]


def test_keyframe_can_be_forced_at_once() -> None:
    encoder = VideoEncoder(SPEC)
    encoder.encode(picture(0), 0)
    encoder.force_keyframe(1)

    assert encoder.encode(picture(0), 1).is_keyframe
    assert not encoder.encode(picture(0), 2).is_keyframe


def test_forced_keyframe_is_not_spent_on_a_picture_from_before_the_jump() -> None:
    encoder = VideoEncoder(SPEC)
    encoder.encode(picture(0), 0)
    encoder.force_keyframe(90)

    keys = [n for n in (1, 2, 95, 96) if encoder.encode(picture(0), n).is_keyframe]

    assert keys == [95]


def test_skipped_frames_leave_a_hole_in_the_pts() -> None:
    encoder = VideoEncoder(SPEC)

    assert [encoder.encode(picture(0), n).pts for n in (0, 1, 5)] == [0, 1920, 9600]


def test_capped_crf_spends_less_on_a_still_picture() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (270, 320), np.uint8)

    def spent(settings: VideoSettings) -> int:
        encoder = VideoEncoder(RenditionSpec("main", 320, 180, 1920, 4000), settings)
        return sum(len(encoder.encode(noise, n).data) for n in range(49))

    assert spent(VideoSettings("capped_crf")) < 0.7 * spent(VideoSettings("steady"))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (RenditionSpec("x", 321, 180, 1920, 500), "must be even"),
        (RenditionSpec("x", 320, 32, 1920, 500), "at least 64 px"),
        (RenditionSpec("x", 320, 180, 100, 500), "frames a second"),
        (RenditionSpec("x", 320, 180, 1920, 5), "bitrate"),
    ],
)
def test_impossible_renditions_are_refused_in_words(spec: RenditionSpec, words: str) -> None:
    with pytest.raises(EncoderError, match=words):
        VideoEncoder(spec)


def test_aac_click_decodes_at_its_own_pts() -> None:
    encoder = AacEncoder()
    sound = click(48_000, at=30_000)
    packets = [p for n in range(50) for p in encoder.encode(n * 960, sound[n * 960 :][:960])]
    packets += encoder.flush()
    first, decoded = decode_sound("aac", packets, encoder.config)

    assert first == -AAC_FRAME_SAMPLES
    assert abs(first + onset(decoded) - 30_000) <= 24
    expected = range(-1024, 48_000, 1024)
    assert [p.pts for p in packets] == list(expected)
    assert len(decoded) == 1024 * len(expected)


def test_aac_jump_of_the_clock_keeps_every_pts_true() -> None:
    encoder = AacEncoder()
    sound = click(9600, at=5000)
    packets = [p for n in range(5) for p in encoder.encode(n * 960, np.zeros(960, np.int16))]
    for n in range(10):
        packets += encoder.encode(480_000 + n * 960, sound[n * 960 :][:960])
    packets += encoder.flush()

    pts = [p.pts for p in packets]
    jump = pts.index(480_000)
    assert pts[:jump] == [-1024, 0, 1024, 2048, 3072, 4096]
    assert pts[jump:] == [480_000 + n * 1024 for n in range(10)]
    _, decoded = decode_sound("aac", packets, encoder.config)
    assert abs(onset(decoded) - jump * 1024 - 5000) <= 24


def test_opus_click_decodes_at_its_own_pts() -> None:
    encoder = OpusEncoder()
    sound = click(48_000, at=30_000)
    packets = [p for n in range(50) for p in encoder.encode(n * 960, sound[n * 960 :][:960])]
    head = b"OpusHead\x01\x01\x00\x00" + (48_000).to_bytes(4, "little") + b"\0\0\0"
    first, decoded = decode_sound("libopus", packets, head)

    assert [p.pts for p in packets] == [n * 960 - 120 for n in range(50)]
    assert len(decoded) == 48_000
    assert abs(first + onset(decoded / 32768) - 30_000) <= 24
