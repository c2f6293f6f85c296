"""Encoders: H.264, AAC and Opus, with every pts on the 48 kHz media clock.

Settings as measured for one core: ultrafast with sub-pixel search and deblocking gives the quality
of superfast at 60-75 % of its cost and stays constrained baseline, which phones decode.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.frame import PictureType

from inference.media import nvenc
from inference.media.packets import EncodedPacket, StreamHeaders
from inference.media.ring import Picture
from inference.protocol import SAMPLE_RATE_HZ, RenditionSpec

Samples = np.ndarray[Any, np.dtype[np.int16]]
RateControl = Literal["steady", "capped_crf"]
CodecName = Literal["x264", "nvenc"]

logger = logging.getLogger(__name__)

AAC_FRAME_SAMPLES: Final = 1024
OPUS_FRAME_SAMPLES: Final = 960
AAC_BITRATE: Final = 128_000
OPUS_BITRATE: Final = 64_000
OPUS_DELAY_SAMPLES: Final = 120  # libopus, application=lowdelay
GOP_SECONDS: Final = 2
KEYFRAME_SPACING_SAMPLES: Final = SAMPLE_RATE_HZ // 2
_CRF: Final = 23
_TIME_BASE: Final = Fraction(1, SAMPLE_RATE_HZ)
# BT.601 as OpenCV makes it, in FFmpeg's numbers: smpte170m, limited range.
_BT601: Final = 6
_LIMITED_RANGE: Final = 1
_X264: Final = (
    "scenecut=0:min-keyint=1:subme=1:partitions=i4x4:no-deblock=0"
    ":colormatrix=smpte170m:colorprim=smpte170m:transfer=smpte170m"
)


class EncoderError(Exception):
    """A rendition cannot be encoded as it was asked for."""


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How pictures are encoded. rate_control: "steady" keeps the bitrate, as platforms like it;
    "capped_crf" spends it only where the picture moves. encoder: as `encoder_choice` found it."""

    rate_control: RateControl = "steady"
    encoder: CodecName = "x264"


class VideoEncoder:
    """One rendition's H.264. Used by one thread, but for the two that ask for keyframes."""

    def __init__(self, spec: RenditionSpec, settings: VideoSettings | None = None) -> None:
        """Raises EncoderError. Where NVENC has no place left, x264 encodes."""
        self.spec = spec
        _check(spec)
        self._context = _open(spec, settings or VideoSettings())
        self._keyframe_wanted = False
        self._forced_frame: int | None = None
        self._last_keyframe_pts: int | None = None

    @property
    def parameter_sets(self) -> bytes:
        """SPS and PPS, Annex B."""
        return self._context.extradata or b""

    def request_keyframe(self) -> None:
        """The next picture that is 0.5 s from the last keyframe becomes one. Any thread."""
        self._keyframe_wanted = True

    def force_keyframe(self, frame: int) -> None:
        """The first picture from `frame` on becomes one (the clock jumped there). Any thread.

        Pictures from before the jump may still wait to be encoded; they are none.
        """
        self._forced_frame = frame

    def encode(self, picture: Picture, frame: int) -> EncodedPacket:
        """Encode frame number `frame`. picture: (height * 3 // 2, width) uint8 I420, not copied."""
        pts = frame * self.spec.frame_samples
        view = av.VideoFrame.from_numpy_buffer(picture, "yuv420p")
        view.pts, view.time_base = frame, self._context.time_base
        forced = self._forced_frame
        is_forced = forced is not None and frame >= forced
        if is_forced or self._is_keyframe_due(pts):
            view.pict_type = PictureType.I
        (packet,) = self._context.encode(view)  # zerolatency: one in, one out
        if packet.is_keyframe:
            self._last_keyframe_pts = pts
            self._keyframe_wanted = False
        if is_forced and self._forced_frame == forced:
            self._forced_frame = None
        return EncodedPacket(
            "video",
            pts,
            self.spec.frame_samples,
            bool(packet.is_keyframe),
            bytes(packet),
            self.spec.id,
        )

    def headers(self, aac: bytes) -> StreamHeaders:
        """What containers of this rendition need. aac: AudioSpecificConfig."""
        spec = self.spec
        return StreamHeaders(
            width_px=spec.width_px,
            height_px=spec.height_px,
            frame_samples=spec.frame_samples,
            h264=self.parameter_sets,
            aac=aac,
            bitrate_kbps=spec.bitrate_kbps,
        )

    def _is_keyframe_due(self, pts: int) -> bool:
        if self._last_keyframe_pts is None:
            return True
        if not self._keyframe_wanted:
            return False
        return pts - self._last_keyframe_pts >= KEYFRAME_SPACING_SAMPLES


_AAC_OPTIONS: Final = {
    "aac_coder": "fast",
    "aac_ms": "1",
    "aac_is": "0",
    "aac_pns": "0",
    "aac_tns": "0",
}


class AacEncoder:
    """48 kHz stereo AAC from mono sound. pts of a packet: of the sound it decodes to.

    The fast coder without the tools that search for savings costs half of the default one; at
    128 kbps for one voice, both channels the same, there is nothing for them to save.
    """

    def __init__(self) -> None:
        self._context = _open_audio("aac", "stereo", "fltp", AAC_BITRATE, _AAC_OPTIONS)
        self._block = np.zeros((2, AAC_FRAME_SAMPLES), np.float32)
        self._filled = 0
        self._next_pts = 0
        self._primed = False
        self._pending: deque[int] = deque()

    @property
    def config(self) -> bytes:
        """AudioSpecificConfig."""
        return self._context.extradata or b""

    def encode(self, pts: int, samples: Samples) -> list[EncodedPacket]:
        """Take sound that follows on; where pts jumps, the open block is filled with silence.

        samples: (n,) int16 mono. The first packet (priming) has pts = first - 1024.
        """
        packets: list[EncodedPacket] = []
        if pts != self._next_pts + self._filled:
            packets += self._close_block()
            self._next_pts = pts
        offset = 0
        while offset < len(samples):
            part = samples[offset : offset + AAC_FRAME_SAMPLES - self._filled]
            end = self._filled + len(part)
            np.multiply(part, 1 / 32768, out=self._block[0, self._filled : end])
            self._filled = end
            offset += len(part)
            if end == AAC_FRAME_SAMPLES:
                packets += self._encode_block()
        return packets

    def flush(self) -> list[EncodedPacket]:
        """The rest, filled up with silence; the encoder is done."""
        packets = self._close_block()
        return packets + self._label(self._context.encode(None))

    def _close_block(self) -> list[EncodedPacket]:
        if not self._filled:
            return []
        self._block[0, self._filled :] = 0
        return self._encode_block()

    def _encode_block(self) -> list[EncodedPacket]:
        if not self._primed:
            self._primed = True
            self._pending.append(self._next_pts - AAC_FRAME_SAMPLES)
        self._pending.append(self._next_pts)
        self._block[1] = self._block[0]
        frame = av.AudioFrame.from_ndarray(self._block, "fltp", "stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, None
        self._next_pts += AAC_FRAME_SAMPLES
        self._filled = 0
        return self._label(self._context.encode(frame))

    def _label(self, packets: list[Any]) -> list[EncodedPacket]:
        """Our own pts: FFmpeg's queue does not expect a clock that jumps."""
        return [
            EncodedPacket("aac", self._pending.popleft(), AAC_FRAME_SAMPLES, True, bytes(packet))
            for packet in packets
            if self._pending  # flushing gives one block more than was put in
        ]


class OpusEncoder:
    """48 kHz mono Opus, 20 ms, low delay, for WebRTC.

    Complexity 2: a quarter less work than 5. At this bitrate 5 adds half a dB in the mean of all
    bands that sound, and none in the tenth of them that is worst (both languages of the built-in
    voice, 2026); the mode for low delay has little more to search for.
    """

    def __init__(self) -> None:
        options = {"application": "lowdelay", "frame_duration": "20", "compression_level": "2"}
        self._context = _open_audio("libopus", "mono", "s16", OPUS_BITRATE, options)

    def encode(self, pts: int, samples: Samples) -> list[EncodedPacket]:
        """samples: (960,) int16 mono. The packet's pts is that of the sound it decodes to."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, None
        start = pts - OPUS_DELAY_SAMPLES
        return [
            EncodedPacket("opus", start, OPUS_FRAME_SAMPLES, True, bytes(packet))
            for packet in self._context.encode(frame)
        ]

    def flush(self) -> list[EncodedPacket]:
        """Nothing: the last 2.5 ms are not worth a packet that no viewer expects."""
        return []


def _check(spec: RenditionSpec) -> None:
    if spec.width_px % 2 or spec.height_px % 2 or min(spec.width_px, spec.height_px) < 64:
        raise EncoderError(
            f"rendition {spec.id}: {spec.width_px}x{spec.height_px} must be even and at least 64 px"
        )
    if not OPUS_FRAME_SAMPLES <= spec.frame_samples <= SAMPLE_RATE_HZ:
        raise EncoderError(f"rendition {spec.id}: between 1 and 50 frames a second are possible")
    if not 50 <= spec.bitrate_kbps <= 50_000:
        raise EncoderError(f"rendition {spec.id}: bitrate must be 50 to 50000 kbps")


def _open(spec: RenditionSpec, settings: VideoSettings) -> av.VideoCodecContext:
    """As chosen; a GPU takes a few encoders at a time, so x264 stands by."""
    if settings.encoder == "nvenc":
        try:
            return open_codec(spec, settings)
        except (FFmpegError, LookupError, ValueError) as error:
            logger.warning("NVENC has no place for a broadcast, x264 encodes it: %s", error)
    return open_codec(spec, VideoSettings(settings.rate_control))


def open_codec(spec: RenditionSpec, settings: VideoSettings) -> av.VideoCodecContext:
    """The codec of the settings, opened. Raises FFmpegError, LookupError: it is not here."""
    is_steady = settings.rate_control == "steady"
    if settings.encoder == "nvenc":
        gop_frames = _gop_frames(spec)
        options = nvenc.nvenc_options(spec, is_steady=is_steady, gop_frames=gop_frames)
        name = nvenc.CODEC
    else:
        name, options = "libx264", _x264_options(spec, settings)
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = spec.width_px, spec.height_px, "yuv420p"
    context.time_base = Fraction(spec.frame_samples, SAMPLE_RATE_HZ)
    context.framerate = Fraction(SAMPLE_RATE_HZ, spec.frame_samples)
    context.thread_count = 1  # slices gained nothing at our sizes
    context.max_b_frames = 0
    context.flags |= Flags.global_header
    context.color_range = _LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = _BT601
    context.options = options
    if is_steady:
        context.bit_rate = spec.bitrate_kbps * 1000
    context.open()
    return context


def _gop_frames(spec: RenditionSpec) -> int:
    return GOP_SECONDS * SAMPLE_RATE_HZ // spec.frame_samples


def _x264_options(spec: RenditionSpec, settings: VideoSettings) -> dict[str, str]:
    # `x264-params` given twice replaces, it does not merge: one string.
    gop_frames = _gop_frames(spec)
    rate = f"vbv-maxrate={spec.bitrate_kbps}:vbv-bufsize={spec.bitrate_kbps // 2}"
    options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",  # as an option: the attribute is ignored in lower case
        "x264-params": f"{_X264}:keyint={gop_frames}:{rate}",
    }
    if settings.rate_control == "capped_crf":
        options["crf"] = str(_CRF)
    return options


def _open_audio(
    codec: str, layout: str, sample_format: str, bitrate: int, options: dict[str, str]
) -> av.AudioCodecContext:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.bit_rate = SAMPLE_RATE_HZ, bitrate
    context.layout, context.format = layout, sample_format
    context.time_base = _TIME_BASE
    context.flags |= Flags.global_header
    context.options = options
    context.open()
    return context
