"""Wav2Lip in the face worker: the session of filmed presenters with another network in it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final

from inference.engines.base import FaceSetup, Json, Picture
from inference.engines.face.musetalk import engine as filmed
from inference.engines.face.musetalk.engine import MuseTalkEngine, bundle_of, own_settings
from inference.engines.face.musetalk.renderer import Renderer
from inference.engines.face.musetalk.spans import TOKEN_SAMPLES
from inference.engines.face.wav2lip.mel import REACH_SAMPLES

ENGINE: Final = "wav2lip256"
FACE_PX: Final = 256
_RENDERER: Final = "inference.engines.face.wav2lip.renderer"
# Behind the end of MuseTalk's window, which is 6 tokens behind the beginning of a frame.
LOOK_AHEAD_TOKENS: Final = -(-REACH_SAMPLES // TOKEN_SAMPLES) - 6


def create_engine(setup: FaceSetup) -> MuseTalkEngine:
    """A filmed presenter with official weights of Wav2Lip.

    Raises EngineError: settings, a bundle that does not fit, weights that are missing or wrong, a
    model server that is not there or full.
    """
    bundle = bundle_of(setup.settings, ENGINE)
    own_settings(setup.settings)
    if filmed.is_served(setup.settings):
        return filmed.open_served(setup, bundle, LOOK_AHEAD_TOKENS)
    # By name: PyTorch takes seconds and a gigabyte, and the idle painter below needs none of it.
    opened: Renderer = importlib.import_module(_RENDERER).open_renderer(setup, bundle)
    return filmed.open_engine(setup, bundle, opened, look_ahead_tokens=LOOK_AHEAD_TOKENS)


def load_encoder(settings: Json) -> tuple[Any, int]:
    """What prepares an avatar, and the px of its faces: they are kept as they are."""
    own_settings(settings)
    return importlib.import_module(_RENDERER).FaceKeeper(), FACE_PX


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """The film itself, which needs no network."""
    return filmed.create_idle_painter(setup, ENGINE)
