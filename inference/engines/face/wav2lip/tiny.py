"""A Wav2Lip of one eighth of the channels with made-up weights: for tests only.

It paints nothing that looks like a mouth, and is refused unless TEST_ENGINES=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import torch

from inference.engines.base import EngineError, FaceSetup, Json, Picture
from inference.engines.face.musetalk import engine as filmed
from inference.engines.face.musetalk.engine import MuseTalkEngine, bundle_of
from inference.engines.face.wav2lip import engine
from inference.engines.face.wav2lip.modeling import Wav2Lip256
from inference.engines.face.wav2lip.renderer import Wav2LipRenderer, faces_of

ENGINE: Final = "wav2lip256_tiny"
NARROWER: Final = 8


def fill_by_formula(network: torch.nn.Module) -> None:
    """Weights that need no random generator: the same with every version of PyTorch.

    Of a size that keeps what goes through neither dying nor growing.
    """
    for number, (name, value) in enumerate(sorted(network.state_dict().items())):
        wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + number)
        if name.endswith(("running_var", "num_batches_tracked")):
            value.fill_(1)
        elif value.dim() > 1:
            value.copy_((2.0 * wave / value[0].numel() ** 0.5).reshape(value.shape))
        else:
            value.copy_((0.1 * wave + name.endswith("weight")).reshape(value.shape))


def make_network() -> Wav2Lip256:
    """Raises EngineError unless TEST_ENGINES=1."""
    if os.environ.get("TEST_ENGINES") != "1":
        text = "The small Wav2Lip is offered only with TEST_ENGINES=1."
        raise EngineError("test_engines_off", text, retryable=False)
    network = Wav2Lip256(NARROWER)
    fill_by_formula(network)
    return network.requires_grad_(requires_grad=False).eval()


def create_engine(setup: FaceSetup) -> MuseTalkEngine:
    """A presenter whose mouth is noise. Raises EngineError unless TEST_ENGINES=1."""
    bundle = bundle_of(setup.settings, ENGINE)
    if filmed.is_served(setup.settings):
        return filmed.open_served(setup, bundle, engine.LOOK_AHEAD_TOKENS)
    torch.set_num_threads(1)
    renderer = Wav2LipRenderer(make_network(), faces_of(bundle), setup.frame_samples)
    return filmed.open_engine(setup, bundle, renderer, look_ahead_tokens=engine.LOOK_AHEAD_TOKENS)


def load_encoder(settings: Json) -> tuple[Any, int]:
    """As the engine with official weights."""
    return engine.load_encoder(settings)


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """The film itself, which needs no network."""
    return filmed.create_idle_painter(setup, ENGINE)
