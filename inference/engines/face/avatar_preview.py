"""A few seconds of a built presenter speaking, as a film that a browser plays."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import wave
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from inference.catalog import get_engine
from inference.child_environment import child_environment
from inference.engines.base import EngineError, FaceEngine, FaceSetup, FaceSpeech, Json, Samples
from inference.engines.face.musetalk.bundle import Manifest
from inference.media.resample import Resampler

_TEXT: Final = "大家好，欢迎来到直播间。Hello and welcome."
_BEFORE_SAMPLES: Final = 24_000
_BLOCK_SAMPLES: Final = 960
_MAX_SAMPLES: Final = 5 * 48_000


def write_preview_film(
    path: Path,
    engine: str,
    settings: Json,
    manifest: Manifest,
    cache_folder: Path,
    progress: Callable[[float], None],
) -> None:
    """MP4 with H.264 and AAC of one sentence. Raises EngineError: also when weights are missing."""
    sound, visemes = _sentence()
    frame_samples = 48_000 // manifest.frame_rate
    setup = FaceSetup(
        manifest.width_px, manifest.height_px, frame_samples, "full", "studio",
        settings, str(cache_folder),
    )  # fmt: skip
    face = _open_engine(engine, setup)
    try:
        speech = FaceSpeech(
            "preview", 0, _BEFORE_SAMPLES, len(sound), visemes, _loudness(sound), samples=sound
        )
        face.start_speech(speech)
        _encode(path, face, setup, sound, progress)
    finally:
        face.close()


def _open_engine(engine: str, setup: FaceSetup) -> FaceEngine:
    module, _, factory = get_engine("face", engine).factory.partition(":")
    opened: FaceEngine = getattr(importlib.import_module(module), factory)(setup)
    return opened


def _encode(
    path: Path,
    face: FaceEngine,
    setup: FaceSetup,
    sound: Samples,
    progress: Callable[[float], None],
) -> None:
    heard = np.concatenate([np.zeros(_BEFORE_SAMPLES, np.int16), sound, np.zeros(24_000, np.int16)])
    frames = len(heard) // setup.frame_samples
    picture = np.empty((setup.height_px * 3 // 2, setup.width_px), np.uint8)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as film:
        rate = 48_000 // setup.frame_samples
        video: Any = film.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = setup.width_px, setup.height_px, "yuv420p"
        audio: Any = film.add_stream("aac", rate=48_000, layout="mono")
        for number in range(frames):
            face.render(number * setup.frame_samples, 0, picture)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            film.mux(video.encode(frame))
            progress(number / frames)
        film.mux(video.encode(None))
        _encode_sound(film, audio, heard)


def _encode_sound(film: Any, audio: Any, heard: Samples) -> None:
    size = 1024
    for at in range(0, len(heard) - size, size):
        block = (heard[at : at + size].astype(np.float32) / 32768)[None]
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        film.mux(audio.encode(frame))
    film.mux(audio.encode(None))


def _sentence() -> tuple[Samples, tuple[tuple[float, int, float], ...]]:
    """A sentence of the built-in voice, made in a child as every voice is, and its visemes.

    Samples: int16 at 48 kHz.
    """
    request = {"engine": "espeak", "language": "zh-CN", "settings": {}, "text": _TEXT}
    done = subprocess.run(
        [sys.executable, "-m", "inference.tool", "spoken"],
        input=json.dumps(request).encode(), capture_output=True, timeout=60, check=False,
        env=child_environment("TEST_ENGINES"),
    )  # fmt: skip
    if done.returncode != 0:
        raise EngineError("preview_failed", "The built-in voice could not speak for the preview.")
    told, _, sound = done.stdout.partition(b"\n")
    visemes = tuple((at, index, weight) for at, index, weight in json.loads(told)["visemes"])
    with wave.open(BytesIO(sound)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        resampler = Resampler(file.getframerate())
    whole = np.concatenate([resampler.push(raw), resampler.finish()])[:_MAX_SAMPLES]
    return whole, visemes


def _loudness(sound: Samples) -> tuple[float, ...]:
    """RMS of each 20 ms, 0..1 of full scale."""
    blocks = sound[: len(sound) // _BLOCK_SAMPLES * _BLOCK_SAMPLES].reshape(-1, _BLOCK_SAMPLES)
    levels = np.sqrt(np.mean((blocks.astype(np.float32) / 32768) ** 2, axis=1))
    return tuple(levels.tolist())
