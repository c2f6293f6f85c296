"""Who encodes the pictures of a broadcast: the GPU where it really can, else x264."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import Final

import numpy as np
from av.error import FFmpegError

from inference.media.encoder import CodecName, VideoEncoder, VideoSettings, open_codec
from inference.protocol import RenditionSpec, VideoEncoderChoice

logger = logging.getLogger(__name__)

# A driver that hangs must not keep a show from its x264.
PROBE_SECONDS: Final = 3.0
_PROBE: Final = RenditionSpec("probe", 320, 180, 1920, 500)
_PICTURES: Final = 30
_ASKED: Final = 20
_START: Final = (b"\0\0\0\1", b"\0\0\1")


def choose_encoder(wanted: VideoEncoderChoice) -> CodecName:
    """The encoder for `wanted`, with one line in the log unless there was nothing to choose.

    Takes up to PROBE_SECONDS: not for an event loop.
    """
    if wanted == "x264":
        return "x264"
    reason = _probe_in_time()
    if not reason:
        logger.info("pictures are encoded on the GPU, by NVENC")
        return "nvenc"
    level = logging.WARNING if wanted == "nvenc" else logging.INFO
    logger.log(level, "pictures are encoded by x264: NVENC %s", reason)
    return "x264"


def _probe_in_time() -> str:
    """As `probe_nvenc`, on a thread that is left behind when it does not come back."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(probe_nvenc()), daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return found[0] if found else f"has not answered within {PROBE_SECONDS:.0f} s"


@lru_cache(maxsize=1)
def probe_nvenc() -> str:
    """Why NVENC cannot be used here; empty when an encoder opened and did all that is needed."""
    settings = VideoSettings(encoder="nvenc")
    try:
        open_codec(_PROBE, settings)
        return judge_encoder(VideoEncoder(_PROBE, settings))
    except (FFmpegError, LookupError, OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        return f"cannot be opened; there may be no NVIDIA GPU or driver ({said})"


def judge_encoder(encoder: VideoEncoder) -> str:
    """What is wrong with the packets of an encoder of 320x180 px; empty when nothing is.

    One packet for each picture, keyframes where they are asked for and nowhere else, Annex B, and
    parameter sets beside it.
    """
    noise = np.random.default_rng(1).integers(0, 255, (270, 320), np.uint8)
    keys = []
    for frame in range(_PICTURES):
        if frame == _ASKED:
            encoder.request_keyframe()
        # Raises ValueError unless one picture in is one packet out.
        packet = encoder.encode(np.roll(noise, frame, axis=1), frame)
        if packet.pts != frame * _PROBE.frame_samples or not packet.data.startswith(_START):
            return "made packets of another form"
        if packet.is_keyframe:
            keys.append(frame)
    if keys != [0, _ASKED]:
        return f"made keyframes at {keys} instead of 0 and {_ASKED}"
    if not encoder.parameter_sets.startswith(_START):
        return "told no parameter sets"
    return ""
