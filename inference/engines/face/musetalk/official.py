"""MuseTalk with official weights: what a show and the build of an avatar load."""

from __future__ import annotations

import torch

from inference.engines.base import FaceSetup, Json
from inference.engines.face.musetalk.bundle import Bundle
from inference.engines.face.musetalk.engine import FACE_PX, own_settings, weights_folder
from inference.engines.face.musetalk.faces import FaceEncoder
from inference.engines.face.musetalk.local import LocalRenderer
from inference.engines.face.musetalk.networks import NetworkLoader
from inference.engines.face.musetalk.paste import first_shown_row


def open_renderer(setup: FaceSetup, bundle: Bundle) -> LocalRenderer:
    """For a show. Raises WeightsError naming the file that is missing, EngineError."""
    # Every call has one of two shapes: the search for the fastest kernel pays.
    torch.backends.cudnn.benchmark = True
    networks = NetworkLoader(weights_folder(setup.settings), own_settings(setup.settings)).load()
    first_row = first_shown_row(bundle.film, bundle.manifest.face_px)
    return LocalRenderer(networks, bundle.latents, setup.frame_samples, first_row)


def load_encoder(settings: Json) -> tuple[FaceEncoder, int]:
    """For building an avatar: the encoder and the px of its faces. Raises as above."""
    return NetworkLoader(weights_folder(settings), own_settings(settings)).load_encoder(), FACE_PX
