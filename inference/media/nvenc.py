"""What NVENC, the encoder on NVIDIA GPUs, is asked for: the same stream as x264 makes.

Options of FFmpeg's `h264_nvenc`. Nobody has run them on a GPU yet: the probe in `encoder_choice`
tries what they must give, and x264 stays where it does not.
"""

from __future__ import annotations

from typing import Final

from inference.protocol import RenditionSpec

CODEC: Final = "h264_nvenc"
# Constant quality where the bitrate is only a ceiling; about as good as x264's 23.
_QUALITY: Final = 25
_FIXED: Final = {
    # The fourth of seven presets: quality costs the GPU, not the core that a broadcast has.
    "preset": "p4",
    "tune": "ull",
    "profile": "baseline",
    # One picture in, one out: nothing is reordered, held back or looked ahead at.
    "zerolatency": "1",
    "delay": "0",
    "rc-lookahead": "0",
    "b_ref_mode": "disabled",
    # A picture that is asked to be a keyframe decodes alone; others come at their distance only.
    "forced-idr": "1",
    "no-scenecut": "1",
    "strict_gop": "1",
}


def nvenc_options(spec: RenditionSpec, *, is_steady: bool, gop_frames: int) -> dict[str, str]:
    """Options of the codec. is_steady: keep the bitrate; else it is what a moving picture may take.

    The buffer holds half a second, as with x264.
    """
    bits = spec.bitrate_kbps * 1000
    rate = {"rc": "cbr"} if is_steady else {"rc": "vbr", "cq": str(_QUALITY)}
    buffered = {"maxrate": str(bits), "bufsize": str(bits // 2)}
    return {**_FIXED, **rate, **buffered, "g": str(gop_frames), "bf": "0"}
