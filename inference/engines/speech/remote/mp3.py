"""MP3 as it arrives: decoded piece by piece, without the silence that the codec puts before it."""

from __future__ import annotations

import functools
from typing import Any, Final

import av
import numpy as np
from av.error import FFmpegError

from inference.engines.base import EngineError, Samples

# What LAME and a decoder by the standard add: 576 + 529. Used where PyAV has no encoder to measure.
_USUAL_DELAY: Final = 1105
_CLICK_AT: Final = 6000
_CLICK_LENGTH: Final = 240
_TEST_RATE_HZ: Final = 24_000


class Mp3Decoder:
    """Turns MP3 bytes into mono samples. rate_hz: 0 until the first frame."""

    def __init__(self, delay_samples: int | None = None) -> None:
        self._codec: Any = av.CodecContext.create("mp3", "r")
        self._to_skip = codec_delay_samples() if delay_samples is None else delay_samples
        self.rate_hz = 0

    def push(self, data: bytes) -> Samples:
        """What can be heard with these bytes more. Raises EngineError."""
        return self._decode(self._parse(data))

    def finish(self) -> Samples:
        """What was still inside. Raises EngineError."""
        return self._decode([*self._parse(b""), None])

    def _parse(self, data: bytes) -> list[Any]:
        try:
            return list(self._codec.parse(data))
        except FFmpegError as error:
            raise _broken(error) from error

    def _decode(self, packets: list[Any]) -> Samples:
        try:
            frames = [frame for packet in packets for frame in self._codec.decode(packet)]
        except FFmpegError as error:
            raise _broken(error) from error
        blocks = [self._mono(frame) for frame in frames]
        samples = np.concatenate(blocks) if blocks else np.empty(0, np.int16)
        skipped = min(self._to_skip, len(samples))
        self._to_skip -= skipped
        return samples[skipped:]

    def _mono(self, frame: Any) -> Samples:
        if self.rate_hz not in (0, frame.sample_rate):
            message = "The sound of the voice service changes its sample rate in the middle."
            raise EngineError("voice_wrong_rate", message)
        self.rate_hz = frame.sample_rate
        planes = frame.to_ndarray()
        if planes.dtype != np.int16:
            planes = np.clip(planes * 32768.0, -32768, 32767)
        mono: Samples = planes.astype(np.float32).mean(axis=0).astype(np.int16)
        return mono


@functools.cache
def codec_delay_samples() -> int:
    """Samples of silence that encoding and decoding put first: a click sent through both.

    Encoders differ a little; one that is not LAME's kin may be off by up to 24 ms at 24 kHz.
    """
    click = np.zeros(2 * _CLICK_AT, np.int16)
    noise = np.random.default_rng(7).normal(0, 6000, _CLICK_LENGTH)
    shape = np.convolve(noise, np.hanning(8) / 4, "same").astype(np.int16)
    click[_CLICK_AT : _CLICK_AT + _CLICK_LENGTH] = shape
    try:
        data = encode_mp3(click, _TEST_RATE_HZ)
    except (FFmpegError, ValueError, LookupError):
        return _USUAL_DELAY
    decoder = Mp3Decoder(delay_samples=0)
    heard = np.concatenate((decoder.push(data), decoder.finish())).astype(np.float64)
    found = int(np.argmax(np.correlate(heard, shape.astype(np.float64), "valid")))
    return max(0, found - _CLICK_AT)


def encode_mp3(samples: Samples, rate_hz: int) -> bytes:
    """(n,) int16 mono as constant 48 kbit/s MP3. Raises FFmpegError, or ValueError without LAME."""
    codec: Any = av.CodecContext.create("libmp3lame", "w")
    codec.sample_rate, codec.layout, codec.format = rate_hz, "mono", "s16p"
    codec.bit_rate = 48_000
    codec.open()
    data = b""
    for start in range(0, len(samples), codec.frame_size):
        block = samples[start : start + codec.frame_size]
        frame = av.AudioFrame.from_ndarray(block[None], "s16p", "mono")
        frame.sample_rate, frame.pts = rate_hz, start
        data += b"".join(bytes(packet) for packet in codec.encode(frame))
    return data + b"".join(bytes(packet) for packet in codec.encode(None))


def _broken(error: FFmpegError) -> EngineError:
    message = f"The sound of the voice service is broken and cannot be decoded: {error.strerror}"
    return EngineError("voice_sound_broken", message)
