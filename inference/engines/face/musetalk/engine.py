"""A filmed presenter in the face worker: the film that was built, its mouth repainted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.catalog import EXPRESSIONS, GESTURES
from inference.engines.base import (
    EngineError,
    FaceSetup,
    FaceSpeech,
    Json,
    PaintedElsewhere,
    Picture,
)
from inference.engines.face.musetalk.bundle import IDLE, LATENTS, Bundle, open_bundle
from inference.engines.face.musetalk.cycle import mirrored
from inference.engines.face.musetalk.prepared import open_prepared
from inference.engines.face.musetalk.renderer import FarRenderer, Renderer
from inference.engines.face.musetalk.session import TalkingSession
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.face.musetalk.spans import LOOK_AHEAD_TOKENS
from inference.engines.weights import WeightsFolder

ENGINE: Final = "musetalk"
# What MuseTalk was trained on.
FACE_PX: Final = 256
GIVEN_FILE: Final = LATENTS
# Settings that the platform adds: where things lie.
_PLACES: Final = ("bundle", "weights", "servers")
# By name: PyTorch takes seconds and a gigabyte, and the idle painter below needs none of it, nor
# does a presenter whose networks are in the model server, which lies above the engines.
_LOCAL: Final = "inference.engines.face.musetalk.official"
_SERVED: Final = "inference.gpu.client"


class MuseTalkEngine:
    """`FaceEngine` of one film. Expressions and gestures are clips of the same name, if filmed."""

    needs_audio = True

    def __init__(
        self,
        setup: FaceSetup,
        bundle: Bundle,
        renderer: Renderer,
        look_ahead_tokens: int = LOOK_AHEAD_TOKENS,
    ) -> None:
        cache = Path(setup.cache_folder)
        film = open_prepared(bundle, setup.width_px, setup.height_px, cache)
        self.session = TalkingSession(
            bundle.manifest, film, renderer, setup.frame_samples, look_ahead_tokens
        )

    def start_speech(self, speech: FaceSpeech) -> None:
        """Follow an utterance; the same id again replaces what is known."""
        self.session.place(
            speech.utterance, speech.generation, speech.start_sample, speech.known_sample
        )
        if speech.samples is not None:
            self.session.hear(speech.utterance, speech.samples)
        for seconds, name in speech.marks:
            self.session.cycle.play(name, speech.start_sample + round(seconds * 48_000))

    def cut(self, at_sample: int, generation: int) -> None:
        """End utterances of older generations; the mouth goes back to the film in 110 ms."""
        self.session.cut(at_sample, generation)

    def drop(self, utterance: str, from_sample: int) -> None:
        """Forget an utterance that was taken back before it began."""
        self.session.drop(utterance, from_sample)

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        """Play the clip of this name, if there is one. Raises EngineError on an unknown name."""
        _require(name, EXPRESSIONS, "expression")
        self.session.cycle.play(name, at_sample)

    def play_gesture(self, name: str, at_sample: int) -> None:
        """Play the clip of this name, if there is one. Raises EngineError on an unknown name."""
        _require(name, GESTURES, "gesture")
        self.session.cycle.play(name, at_sample)

    def play_clip(self, name: str, at_sample: int) -> None:
        """Play a clip with the lips of what is said. Raises EngineError naming those that exist."""
        if not self.session.cycle.play(name, at_sample):
            known = ", ".join(self.session.cycle.names) or "none"
            raise EngineError(
                "unknown_clip", f"This presenter has no clip {name!r}; it has: {known}."
            )

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at `pts_samples` into out, I420."""
        self.session.render(pts_samples, generation, out)

    def close(self) -> None:
        self.session.close()


class ServedEngine(MuseTalkEngine, PaintedElsewhere):
    """`FaceEngine` whose networks are in the model server."""

    def __init__(
        self,
        setup: FaceSetup,
        bundle: Bundle,
        renderer: FarRenderer,
        look_ahead_tokens: int = LOOK_AHEAD_TOKENS,
    ) -> None:
        super().__init__(setup, bundle, renderer, look_ahead_tokens)
        self._renderer = renderer

    @property
    def late_frames(self) -> int:
        return self.session.late_frames

    @property
    def trouble(self) -> str:
        return self._renderer.trouble


def bundle_of(settings: Json, engine: str = ENGINE) -> Bundle:
    """The bundle that an avatar's settings name. Raises BundleError, EngineError."""
    folder = settings.get("bundle")
    if not isinstance(folder, str) or not folder:
        raise EngineError(
            "avatar_not_built",
            "This presenter has not been built yet: upload a video or photo first.",
            retryable=False,
        )
    bundle = open_bundle(Path(folder))
    if bundle.manifest.engine != engine:
        made = bundle.manifest.engine
        raise EngineError(
            "bad_bundle", f"This presenter was built for {made}, not {engine}.", retryable=False
        )
    return bundle


def own_settings(settings: Json) -> MuseTalkSettings:
    """Which networks, on what: the settings without where things lie. Raises EngineError."""
    own = {name: value for name, value in settings.items() if name not in _PLACES}
    return MuseTalkSettings.from_json(own)


def weights_folder(settings: Json) -> WeightsFolder:
    """Where the operator has put the weights."""
    return WeightsFolder(Path(str(settings.get("weights", "weights"))))


def create_engine(setup: FaceSetup) -> MuseTalkEngine:
    """A filmed presenter with official weights.

    Raises EngineError: settings, a bundle that does not fit, weights that are missing or wrong, a
    model server that is not there or full.
    """
    bundle = bundle_of(setup.settings)
    own_settings(setup.settings)
    if is_served(setup.settings):
        return open_served(setup, bundle)
    opened: Renderer = importlib.import_module(_LOCAL).open_renderer(setup, bundle)
    return open_engine(setup, bundle, opened)


def is_served(settings: Json) -> bool:
    """Whether a model server paints: the settings then name the sockets of those there are."""
    return "servers" in settings


def open_served(
    setup: FaceSetup, bundle: Bundle, look_ahead_tokens: int = LOOK_AHEAD_TOKENS
) -> MuseTalkEngine:
    """A presenter painted by a model server. Raises EngineError: none runs, or none has room."""
    servers = setup.settings["servers"]
    opened: FarRenderer = importlib.import_module(_SERVED).open_renderer(setup, bundle, servers)
    return ServedEngine(setup, bundle, opened, look_ahead_tokens)


def load_encoder(settings: Json) -> Any:
    """What prepares an avatar, and the px of its faces. Raises WeightsError, EngineError."""
    return importlib.import_module(_LOCAL).load_encoder(settings)


def open_engine(
    setup: FaceSetup,
    bundle: Bundle,
    renderer: Renderer,
    look_ahead_tokens: int = LOOK_AHEAD_TOKENS,
) -> MuseTalkEngine:
    """An engine whose first picture is as quick as any other."""
    renderer.warm_up()
    return MuseTalkEngine(setup, bundle, renderer, look_ahead_tokens)


def create_idle_painter(setup: FaceSetup, engine: str = ENGINE) -> Callable[[float, Picture], None]:
    """Draws the loop: at most the first second of the film, there and back. Raises EngineError."""
    bundle = bundle_of(setup.settings, engine)
    film = open_prepared(bundle, setup.width_px, setup.height_px, Path(setup.cache_folder))
    idle = bundle.manifest.clip(IDLE)
    assert idle is not None
    span = min(idle.count, bundle.manifest.frame_rate)

    def paint(phase: float, out: Picture) -> None:
        np.copyto(out, film.frames[idle.first + mirrored(int(phase * 2 * span), span)])

    return paint


def _require(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise EngineError(
            f"unknown_{kind}",
            f"There is no {kind} {name!r}. There are: {', '.join(known)}.",
            retryable=False,
        )
