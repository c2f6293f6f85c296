"""Hostile films: bombs, lies in headers, lists of other files. Made here, none is stored."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

SIDE_PX: Final = 320
FRAMES: Final = 40


def film(
    frames: int = FRAMES, size: tuple[int, int] = (SIDE_PX, SIDE_PX), form: str = "mp4"
) -> bytes:
    """A grey film of 25 pictures a second; without any picture when `frames` is 0."""
    written = io.BytesIO()
    with av.open(written, "w", format=form) as target:
        video: Any = target.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        picture = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
    return written.getvalue()


def sound_only() -> bytes:
    """An MP4 with two seconds of silence and no picture."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as target:
        audio: Any = target.add_stream("aac", rate=48_000, layout="mono")
        for number in range(94):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48_000, number * 1024
            target.mux(audio.encode(frame))
        target.mux(audio.encode(None))
    return written.getvalue()


def with_box(kind: bytes, offset: int, value: bytes) -> bytes:
    """A good film with some bytes of its first box of a kind changed (ISO 14496-12)."""
    made = bytearray(film())
    at = made.index(kind) + 4 + offset
    made[at : at + len(value)] = value
    return bytes(made)


def many_streams(count: int) -> bytes:
    """A Matroska file that declares that many tracks and holds no picture."""
    written = io.BytesIO()
    with av.open(written, "w", format="matroska") as target:
        for _ in range(count):
            stream: Any = target.add_stream("rawvideo", rate=25)
            stream.width, stream.height, stream.pix_fmt = SIDE_PX, SIDE_PX, "yuv420p"
        target.start_encoding()
    return written.getvalue()


def deep_boxes(levels: int) -> bytes:
    """Boxes in boxes: a reader that calls itself for each runs out of stack."""
    inner = b""
    for _ in range(levels):
        inner = struct.pack(">I", len(inner) + 8) + b"moov" + inner
    return film(1)[:32] + inner


def other_file() -> bytes:
    """A film whose pictures are said to lie in another file (`dref` of kind `url `)."""
    made = film()
    name = b"file:///etc/passwd\0"
    # The flag that means "in this file" is cleared; the address takes the place of what follows.
    at = made.index(b"url ") + 4
    return made[:at] + bytes(4) + name + made[at + 4 + len(name) :]


# What is taken tells lies about itself only: its pictures are what counts.
HOSTILE: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "nothing": (lambda: b"", "footage_unknown"),
    "HLS list": (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "footage_unknown"),
    "list of files": (lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n", "footage_unknown"),
    "HLS list behind a mark": (
        lambda: b"\0\0\0\x10ftypmp42#EXTM3U\nfile:///etc/passwd\n", "footage_damaged"
    ),
    "cut in half": (lambda: film()[: len(film()) // 2], "footage_damaged"),
    "no pictures": (lambda: film(0), "footage_unknown"),
    "sound only": (sound_only, "no_picture"),
    "too short": (lambda: film(10), "footage_too_short"),
    "16 megapixels": (lambda: film(30, (4608, 3456)), "footage_too_large"),
    "a header of 4 gigapixels": (
        lambda: with_box(b"avc1", 24, b"\xff\xff\xff\xff"), "taken"
    ),
    "an hour by its header": (
        lambda: with_box(b"mvhd", 16, struct.pack(">I", 3_600_000)), "taken"
    ),
    "four million pictures by its table": (
        lambda: with_box(b"stsz", 8, struct.pack(">I", 4_000_000)), "footage_too_short"
    ),
    "pictures of three hours each": (
        lambda: with_box(b"stts", 12, struct.pack(">I", 0x7FFFFFFF)), "footage_damaged"
    ),
    "a thousand streams": (lambda: many_streams(1000), "footage_damaged"),
    "50,000 boxes in boxes": (lambda: deep_boxes(50_000), "footage_damaged"),
    "pictures in another file": (other_file, "footage_damaged"),
}  # fmt: skip
