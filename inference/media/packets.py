"""Encoded packets: what the encoders make once and every output receives."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

Stream = Literal["video", "aac", "opus"]

_CODES: Final[dict[str, int]] = {"video": 0, "aac": 1, "opus": 2}
_NAMES: Final[tuple[Stream, ...]] = ("video", "aac", "opus")
_FRAME: Final = struct.Struct("<BBxxIqq")  # stream, flags, byte count, pts, duration
_KEYFRAME: Final = 1

HEADER_BYTES: Final = _FRAME.size


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One coded picture or audio frame; immutable, shared by all outputs.

    pts, duration: in samples of the 48 kHz media clock for every stream (dts = pts: no B-frames).
    data: H.264 Annex B without parameter sets, raw AAC, or Opus. rendition: video only.
    """

    stream: Stream
    pts: int
    duration: int
    is_keyframe: bool
    data: bytes
    rendition: str = "main"


@dataclass(frozen=True, slots=True)
class StreamHeaders:
    """What a container needs before the first packet of a rendition.

    h264: SPS and PPS as Annex B. aac: AudioSpecificConfig. Frame rate = 48000 / frame_samples.
    """

    width_px: int
    height_px: int
    frame_samples: int
    h264: bytes
    aac: bytes
    bitrate_kbps: int


def pack_packet(packet: EncodedPacket) -> bytes:
    """The bytes of a packet on the pipe to a pusher or recorder child: exact times, no muxing."""
    flags = _KEYFRAME if packet.is_keyframe else 0
    code = _CODES[packet.stream]
    return _FRAME.pack(code, flags, len(packet.data), packet.pts, packet.duration) + packet.data


def unpack_header(raw: bytes) -> tuple[Stream, bool, int, int, int]:
    """(stream, is_keyframe, byte count, pts, duration) of `HEADER_BYTES` bytes."""
    code, flags, size, pts, duration = _FRAME.unpack(raw)
    return _NAMES[code], bool(flags & _KEYFRAME), size, pts, duration
