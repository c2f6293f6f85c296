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
# Of layer III, by the four bits of the header; kbit/s. MPEG 2 and 2.5 share theirs.
_KBPS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000)}
_RATES_2_5_HZ: Final = (11_025, 12_000, 8_000)


class Mp3Decoder:
    """Turns MP3 bytes into mono samples.

    rate_hz: 0 until the first frame. is_cut: after `finish`, whether the last frame is not whole.
    """

    def __init__(self, delay_samples: int | None = None) -> None:
        self._codec: Any = av.CodecContext.create("mp3", "r")
        self._to_skip = codec_delay_samples() if delay_samples is None else delay_samples
        self.rate_hz = 0
        self.is_cut = False

    def push(self, data: bytes) -> Samples:
        """What can be heard with these bytes more. Raises EngineError."""
        return self._decode(self._parse(data))

    def finish(self) -> Samples:
        """What was still inside. Raises EngineError."""
        last = self._parse(b"")
        self.is_cut = bool(last) and last[-1].size < frame_bytes(bytes(last[-1])[:4])
        # A part of a frame would be decoded with what lies behind it in memory: noise.
        return self._decode([*(last[:-1] if self.is_cut else last), None])

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


def frame_bytes(header: bytes) -> int:
    """How long a layer III frame is that begins so; 0 when this is no such header.

    Source: ISO/IEC 11172-3, 2.4.1.3 and 2.4.3.1; 13818-3 halves the samples of a frame.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return 0
    rate_hz = _RATES_HZ.get(version, _RATES_2_5_HZ)[rate]
    samples_by_8, table = (144, _KBPS_1) if version == 3 else (72, _KBPS_2)
    return samples_by_8 * table[kbps] * 1000 // rate_hz + (header[2] >> 1 & 1)


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
