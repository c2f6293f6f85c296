"""The sound formats of a speech server, decoded as they arrive: WAV, raw PCM and MP3."""

from __future__ import annotations

import struct
from typing import Any, Final, Protocol

import numpy as np

from inference.engines.base import EngineError, Samples
from inference.engines.speech.remote.mp3 import Mp3Decoder

RATES_HZ: Final = (8_000, 96_000)
# Servers that stream do not know the length: they write one of these.
_UNKNOWN_LENGTHS: Final = frozenset((0, 0xFFFFFFFF, 0x7FFFFFFF))
_STREAMED_FROM: Final = 0x7FFFFFFF - 0x10000  # FFmpeg and others subtract their header
_HEADER_MAX_BYTES: Final = 1 << 16
# Of all that comes before the sound.
_HEAD_MAX_BYTES: Final = 1 << 20
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class SoundDecoder(Protocol):
    """Bytes in, mono samples out. rate_hz: 0 until it is known."""

    rate_hz: int

    def push(self, data: bytes) -> Samples: ...

    def finish(self) -> Samples: ...


class PcmDecoder:
    """Raw s16le, mono or interleaved."""

    def __init__(self, rate_hz: int, channels: int = 1, *, is_float: bool = False) -> None:
        self.rate_hz = rate_hz
        self._type = np.dtype("<f4" if is_float else "<i2")
        self._channels = channels
        self._rest = b""

    def push(self, data: bytes) -> Samples:
        data = self._rest + data
        size = self._type.itemsize * self._channels
        whole = len(data) // size * size
        self._rest = data[whole:]
        values = np.frombuffer(data[:whole], self._type).reshape(-1, self._channels)
        if self._type.kind == "f":
            values = np.nan_to_num(values * 32768.0)
        mono = values.astype(np.float32).mean(axis=1)
        samples: Samples = np.clip(mono, -32768, 32767).astype(np.int16)
        return samples

    def finish(self) -> Samples:
        """Raises EngineError when half a sample is left over."""
        if self._rest:
            raise _cut("it ends in the middle of a sample")
        return np.empty(0, np.int16)


class WavDecoder:
    """RIFF WAVE with 16-bit or float samples; sizes of 0 or 0xFFFFFFFF mean: until the end."""

    def __init__(self) -> None:
        self.rate_hz = 0
        self._head = b""
        self._pcm: PcmDecoder | None = None
        self._left: int | None = None  # bytes of sound still to come, None = until the end

    def push(self, data: bytes) -> Samples:
        """Raises EngineError for a header that is not WAV of speech."""
        if self._pcm is None:
            self._head += data
            data = self._read_head()
        if self._pcm is None:
            if len(self._head) > _HEAD_MAX_BYTES:
                raise _strange("its WAV header has no end")
            return np.empty(0, np.int16)
        if self._left is not None:
            data = data[: self._left]  # what follows the sound are tags
            self._left -= len(data)
        return self._pcm.push(data)

    def finish(self) -> Samples:
        """Raises EngineError when less came than the header says."""
        if self._pcm is None:
            raise _cut("it ends before the sound begins")
        if self._left:
            raise _cut(f"{self._left} bytes are missing")
        return self._pcm.finish()

    def _read_head(self) -> bytes:
        """The first bytes of sound; empty while the header is not whole."""
        head = self._head
        if len(head) >= 12 and (head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE"):
            raise _strange("it is not a WAV file")
        form, at = None, 12
        while len(head) >= at + 8:
            name, size = struct.unpack_from("<4sI", head, at)
            if name == b"data":
                return self._begin(form, size, head[at + 8 :])
            if size > _HEADER_MAX_BYTES:
                raise _strange("its WAV header is broken")
            if name == b"fmt " and len(head) >= at + 8 + size:
                form = head[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
        return b""

    def _begin(self, form: bytes | None, size: int, data: bytes) -> bytes:
        if form is None or len(form) < 16:
            raise _strange("its WAV header is broken")
        kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
        if kind == _EXTENSIBLE and len(form) >= 26:
            (kind,) = struct.unpack_from("<H", form, 24)
        if (kind, bits) not in ((_PCM, 16), (_FLOAT, 32)) or not 1 <= channels <= 8:
            raise _strange(f"its WAV has format {kind} with {bits} bits; ask for 16-bit PCM")
        check_rate(rate_hz)
        self.rate_hz = rate_hz
        self._pcm = PcmDecoder(rate_hz, channels, is_float=kind == _FLOAT)
        is_open = size in _UNKNOWN_LENGTHS or size >= _STREAMED_FROM
        self._left = None if is_open else size
        return data


class Mp3Sound(Mp3Decoder):
    """MP3 whose end is checked as the other formats' is."""

    def finish(self) -> Samples:
        rest = super().finish()
        if not self.rate_hz:
            raise _cut("it ends before the sound begins")
        if self.is_cut:
            raise _cut("it ends in the middle of a frame")
        check_rate(self.rate_hz)
        return rest


def create_decoder(response_format: str, rate_hz: int) -> SoundDecoder:
    """For `wav`, `mp3`, or `pcm` at a rate."""
    if response_format == "wav":
        return WavDecoder()
    return Mp3Sound() if response_format == "mp3" else PcmDecoder(rate_hz)


def check_rate(rate_hz: Any) -> None:
    """Raises EngineError for a rate that no voice has."""
    low, high = RATES_HZ
    if not low <= rate_hz <= high:
        message = f"The voice server names a sample rate of {rate_hz} Hz, which cannot be right."
        raise EngineError("voice_wrong_rate", message)


def _cut(how: str) -> EngineError:
    return EngineError("voice_cut", f"The sound of the voice server was cut off: {how}.")


def _strange(how: str) -> EngineError:
    message = f"The voice server sent something that is not the sound asked for: {how}."
    return EngineError("voice_sound_broken", message)
