"""FLV tag bodies: how RTMP carries H.264 and AAC.

Source: Adobe Flash Video File Format Specification 10.1, annex E; ISO/IEC 14496-15 (avcC).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from inference.media.packets import StreamHeaders

from .amf0 import EcmaArray, encode

_AVC_KEYFRAME: Final = 0x17
_AVC_INTER: Final = 0x27
_AAC: Final = 0xAF  # AAC, 44 kHz flag, 16 bit, stereo: fixed by the specification
_AUDIO_TAG: Final = 8
_VIDEO_TAG: Final = 9
_FILE_HEADER: Final = b"FLV\x01\x05\x00\x00\x00\x09" + bytes(4)
_SPS: Final = 7
_PPS: Final = 8


class ParameterSetsMissingError(ValueError):
    """The encoder's header holds no SPS or PPS."""


def split_annex_b(data: bytes) -> Iterator[bytes]:
    """NAL units of an Annex B byte stream, without start codes."""
    start = data.find(b"\x00\x00\x01")
    while start >= 0:
        start += 3
        following = data.find(b"\x00\x00\x01", start)
        end = len(data) if following < 0 else following
        unit = data[start:end]
        # A four-byte start code leaves its first zero at the end of the unit before it.
        yield unit if following < 0 else unit.rstrip(b"\x00")
        start = following


def avcc(data: bytes) -> bytes:
    """Annex B turned into units with four-byte lengths."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in split_annex_b(data))


def video_header(headers: StreamHeaders) -> bytes:
    """The AVC sequence header. Raises ParameterSetsMissingError."""
    units = list(split_annex_b(headers.h264))
    sps = next((unit for unit in units if unit[0] & 0x1F == _SPS), None)
    pps = next((unit for unit in units if unit[0] & 0x1F == _PPS), None)
    if sps is None or pps is None:
        raise ParameterSetsMissingError("the H.264 header holds no parameter sets")
    record = bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1])
    record += struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", len(pps)) + pps
    return bytes([_AVC_KEYFRAME, 0, 0, 0, 0]) + record


def video_tag(data: bytes, *, is_keyframe: bool) -> bytes:
    """One coded picture; composition time 0, there are no B-frames."""
    return bytes([_AVC_KEYFRAME if is_keyframe else _AVC_INTER, 1, 0, 0, 0]) + avcc(data)


def audio_header(headers: StreamHeaders) -> bytes:
    """The AAC sequence header."""
    return bytes([_AAC, 0]) + headers.aac


def audio_tag(data: bytes) -> bytes:
    """One raw AAC frame."""
    return bytes([_AAC, 1]) + data


def metadata(headers: StreamHeaders, *, ai_label: str) -> bytes:
    """`@setDataFrame onMetaData`. ai_label: the readable mark that content is machine-made."""
    values = EcmaArray(
        width=headers.width_px,
        height=headers.height_px,
        framerate=48_000 / headers.frame_samples,
        videocodecid=7,
        videodatarate=headers.bitrate_kbps,
        audiocodecid=10,
        audiosamplerate=48_000,
        audiosamplesize=16,
        audiodatarate=128,
        stereo=True,
        encoder="LiveStudio",
        AIGC=ai_label,
    )
    return encode("@setDataFrame", "onMetaData", values)


def sample_file(headers: StreamHeaders, keyframe: bytes) -> bytes:
    """An FLV file of headers and one picture: what PyAV needs to learn streams without encoders."""
    tags = (
        (_VIDEO_TAG, video_header(headers)),
        (_AUDIO_TAG, audio_header(headers)),
        (_VIDEO_TAG, video_tag(keyframe, is_keyframe=True)),
    )
    return _FILE_HEADER + b"".join(_file_tag(kind, body) for kind, body in tags)


def _file_tag(kind: int, body: bytes) -> bytes:
    head = bytes([kind]) + len(body).to_bytes(3, "big") + bytes(7)
    return head + body + struct.pack(">I", len(head) + len(body))
