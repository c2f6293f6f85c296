"""Uploaded film or photo → I420 frames of one size and rate, written to a file.

Runs in a child of its own with limits: nothing else in the system ever decodes what a user sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
import cv2
import numpy as np
from av.error import FFmpegError

from inference.media.uploads import UploadError, open_picture

FRAME_RATE: Final = 25
MIN_SECONDS: Final = 1.0
MAX_SECONDS: Final = 30.0
MAX_PIXELS: Final = 4096 * 2304
MIN_SIDE_PX: Final = 256
# More rows than any face of 256 px needs; what is larger costs memory in every runner.
SHORT_SIDE_PX: Final = 720
_SAME_SECONDS: Final = 1e-3
# How long the last picture may be declared to stay.
_LAST_PICTURE_SECONDS: Final = 0.5
# The first bytes of what is taken, and the reader for it: playlists and scripts are no films.
_READERS: Final = ((4, b"ftyp", "mov"), (0, b"\x1a\x45\xdf\xa3", "matroska"))
# An AVI begins with RIFF too.
_PICTURES: Final = ((0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (8, b"WEBP"))
# Photos of phones come in the box of a film.
_PHOTO_BRANDS: Final = (b"heic", b"heix", b"mif1", b"avif")

Image = np.ndarray[Any, np.dtype[np.uint8]]


class FootageUnreadableError(Exception):
    """The upload cannot be decoded or has a size that is not taken. code: stable snake_case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Footage:
    """What was written: frames of I420, one after the other."""

    frames: int
    width_px: int
    height_px: int
    frame_rate: int
    is_photo: bool


def extract_footage(
    source: Path, out: Path, progress: Callable[[float], None] = lambda share: None
) -> Footage:
    """Write the frames of a film (MP4, MOV, WebM, MKV) or photo. Raises FootageUnreadableError."""
    with source.open("rb") as file:
        head = file.read(16)
    reader = _reader_of(head)
    with out.open("wb") as target:
        if reader is None:
            return _write_photo(source, target)
        return _write_film(source, reader, target, progress)


def look_at_footage(source: Path) -> Image | None:
    """What is known without decoding a film: that it is one, and whole. A photo is decoded, I420.

    Raises FootageUnreadableError for what `extract_footage` would refuse too, in a second.
    """
    with source.open("rb") as file:
        reader = _reader_of(file.read(16))
    if reader is None:
        return _photo(source)
    try:
        whole, closed = source.open("rb"), {"protocol_whitelist": "none"}
        with whole, av.open(whole, format=reader, options=closed) as film:
            _check_film(film)
    except (FFmpegError, LookupError, ValueError, MemoryError) as error:
        raise _not_whole() from error
    return None


def _check_film(film: Any) -> None:
    """Its header, its first picture, and that its last packet is where the header says."""
    expected = _declared_seconds(film)
    _, first = next(_pictures(film), (0.0, None))
    if first is None:
        raise _not_whole()
    _kept_size(first.shape[1], first.shape[0])
    last = 0.0
    for packet in film.demux(film.streams.video[0]):
        if packet.pts is not None and packet.time_base:
            last = max(last, float(packet.pts * packet.time_base))
    if last < 0.9 * expected - _LAST_PICTURE_SECONDS - MIN_SECONDS:
        raise _not_whole()


def _reader_of(head: bytes) -> str | None:
    """What reads a film that begins so; None for a photo. Raises FootageUnreadableError."""
    if head[8:12] in _PHOTO_BRANDS:
        text = "HEIC and AVIF photos are not taken: save it as JPEG, PNG or WebP."
        raise FootageUnreadableError("photo_unknown", text)
    for at, mark, name in _READERS:
        if head[at:].startswith(mark):
            return name
    if any(head[at:].startswith(mark) for at, mark in _PICTURES):
        return None
    text = "This is neither a film (MP4, MOV, WebM, MKV) nor a photo (JPEG, PNG, WebP)."
    raise FootageUnreadableError("footage_unknown", text)


def _write_photo(source: Path, target: BinaryIO) -> Footage:
    picture = _photo(source)
    target.write(picture.data)
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    return Footage(1, width, height, FRAME_RATE, is_photo=True)


def _photo(source: Path) -> Image:
    try:
        picture = open_picture(source)
    except UploadError as error:
        raise FootageUnreadableError(error.code, str(error)) from error
    image = np.asarray(picture.convert("RGB"))[:, :, ::-1]
    size = _kept_size(image.shape[1], image.shape[0])
    return _as_i420(np.ascontiguousarray(image), *size)


def _write_film(
    source: Path, reader: str, target: BinaryIO, progress: Callable[[float], None]
) -> Footage:
    count, size, expected = 0, (0, 0), 0.0
    try:
        # Bytes of one file by a format that is known: it can name no other file or address.
        whole, closed = source.open("rb"), {"protocol_whitelist": "none"}
        with whole, av.open(whole, format=reader, options=closed) as film:
            expected = _declared_seconds(film)
            for image in _at_rate(_pictures(film)):
                size = size if count else _kept_size(image.shape[1], image.shape[0])
                target.write(_as_i420(image, *size).data)
                count += 1
                progress(min(1.0, count / FRAME_RATE / max(expected, MIN_SECONDS)))
    except (FFmpegError, LookupError, ValueError, MemoryError) as error:
        raise _not_whole() from error
    seconds = count / FRAME_RATE
    if seconds < 0.9 * expected - _LAST_PICTURE_SECONDS:
        raise _not_whole()
    if seconds < MIN_SECONDS:
        raise FootageUnreadableError(
            "footage_too_short", f"The film lasts {seconds:.1f} s; it needs at least 1 s."
        )
    return Footage(count, *size, FRAME_RATE, is_photo=False)


def _declared_seconds(film: Any) -> float:
    """What the film says about itself, checked before anything is decoded."""
    if not film.streams.video:
        raise FootageUnreadableError("no_picture", "The file holds sound only.")
    stream = film.streams.video[0]
    if stream.codec_context is None:  # of a codec that nobody knows
        raise _not_whole()
    if stream.width * stream.height > MAX_PIXELS:
        raise FootageUnreadableError(
            "footage_too_large",
            f"The film has {stream.width}x{stream.height} px; at most 4096x2304 are taken.",
        )
    seconds = film.duration / av.time_base if film.duration else 0.0
    if seconds > MAX_SECONDS + 0.5:
        raise _too_long(seconds)
    return float(seconds)


def _pictures(film: Any) -> Iterator[tuple[float, Image]]:
    stream = film.streams.video[0]
    stream.thread_type = "SLICE"
    first: float | None = None
    for frame in film.decode(stream):
        if frame.width * frame.height > MAX_PIXELS:
            raise FootageUnreadableError("footage_too_large", "The film changes to a huge picture.")
        at = frame.time or 0.0
        first = at if first is None else first
        if at - first > MAX_SECONDS + 0.5:
            raise _too_long(at - first)
        image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        turns = round(frame.rotation / 90) % 4
        yield at - first, np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _at_rate(pictures: Iterator[tuple[float, Image]]) -> Iterator[Image]:
    """One picture for each 1/25 s: the last one that had come by then."""
    made, last, last_at = 0, None, 0.0
    for at, image in pictures:
        while last is not None and (made + 0.5) / FRAME_RATE <= at:
            yield last
            made += 1
        last, last_at = image, at
    while last is not None and made / FRAME_RATE <= last_at + _SAME_SECONDS:
        yield last
        made += 1


def _kept_size(width: int, height: int) -> tuple[int, int]:
    """Even, no larger than needed. Raises FootageUnreadableError for a tiny one."""
    if min(width, height) < MIN_SIDE_PX:
        raise FootageUnreadableError(
            "footage_too_small", f"The picture is {width}x{height} px; film it larger."
        )
    factor = min(1.0, SHORT_SIDE_PX / min(width, height))
    return round(width * factor / 2) * 2, round(height * factor / 2) * 2


def _as_i420(image: Image, width: int, height: int) -> Image:
    if image.shape[1::-1] != (width, height):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _too_long(seconds: float) -> FootageUnreadableError:
    return FootageUnreadableError(
        "footage_too_long",
        f"The film lasts {seconds:.0f} s; at most {MAX_SECONDS:.0f} s are taken. Cut out the best.",
    )


def _not_whole() -> FootageUnreadableError:
    return FootageUnreadableError(
        "footage_damaged", "The film cannot be read to its end: it is damaged or was cut off."
    )
