"""Renders with Wav2Lip in this process; also loads its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.musetalk import checkpoints
from inference.engines.face.musetalk.bundle import FACES, Bundle, Pixels
from inference.engines.face.musetalk.engine import own_settings, weights_folder
from inference.engines.face.musetalk.passes import Passes
from inference.engines.face.musetalk.soundtrack import Sound
from inference.engines.face.musetalk.spans import TOKEN_SAMPLES
from inference.engines.face.wav2lip.mel import first_step, mel_of_frame
from inference.engines.face.wav2lip.modeling import (
    FACE_PX,
    MEL_BANDS,
    MEL_STEPS,
    Wav2Lip256,
)
from inference.engines.face.wav2lip.weights import GENERATOR
from inference.engines.weights import WeightsFolder

# On a GPU one frame costs as many launches as four; a processor gains nothing.
_BUCKETS: Final = {"cuda": (1, 2, 4), "cpu": (1,)}


class FaceKeeper:
    """The `Encoder` of networks that see the face itself: its bundle keeps faces."""

    given_file = FACES

    def encode(self, faces: Pixels) -> Pixels:
        return faces


class MouthNetwork:
    """`Network` of passes: the film is faces, (256, 256, 3), a prompt is mel, (80, 16)."""

    frame = torch.empty(FACE_PX, FACE_PX, 3, dtype=torch.uint8)
    prompt = torch.empty(MEL_BANDS, MEL_STEPS)

    def __init__(self, network: Wav2Lip256) -> None:
        self._network = network
        self.device: torch.device = next(network.parameters()).device

    def paint_on_device(self, frames: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """(n, 256, 256, 3) uint8 BGR."""
        seen = frames.permute(0, 3, 1, 2).float() / 255
        upper = seen.clone()
        upper[:, :, FACE_PX // 2 :] = 0
        with torch.inference_mode():
            painted = self._network(prompts[:, None], torch.cat([upper, seen], dim=1))
            levels: torch.Tensor = (painted * 255).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous()


class Wav2LipPasses(Passes):
    """Wav2Lip in passes."""

    def __init__(
        self, network: Wav2Lip256, buckets: tuple[int, ...], *, graphs: bool | None = None
    ) -> None:
        mouth = MouthNetwork(network)
        super().__init__(mouth, mouth.frame, mouth.prompt, buckets, graphs=graphs)


class Wav2LipRenderer:
    """`Renderer` for one avatar. faces: (n, 256, 256, 3) BGR of its bundle."""

    def __init__(self, network: Wav2Lip256, faces: Pixels, frame_samples: int) -> None:
        buckets = _BUCKETS[next(network.parameters()).device.type]
        self._passes = Wav2LipPasses(network, buckets)
        # One is copied as it is painted: kept whole, 30 s would take 150 MB of the device.
        self._faces = faces
        self._frame_samples = frame_samples
        self.batch_frames = buckets[-1]

    def features(self, sound: Sound, first_token: int, frames: range) -> list[torch.Tensor]:
        """(80, 16) of each frame."""
        return mels_of_frames(sound, first_token, frames, self._frame_samples)

    def paint(self, indexes: Sequence[int], features: Sequence[torch.Tensor]) -> Pixels:
        """(n, 256, 256, 3) uint8 BGR."""
        faces = [self._passes.keep(self._faces[index]) for index in indexes]
        return self._passes.paint(faces, features)

    def warm_up(self) -> None:
        """Pay for first calls before a show, and see how many faces there is room for."""
        silence = self.features(np.zeros(0, np.float32), 0, range(1))
        made = self._passes.of_each_bucket(lambda size: self.paint([0] * size, silence * size))
        self.batch_frames = max(made)

    def close(self) -> None:
        """Free the device's memory."""
        del self._passes
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def mels_of_frames(
    sound: Sound, first_token: int, frames: range, frame_samples: int
) -> list[torch.Tensor]:
    """(80, 16) float32 of each frame, on the processor. sound: as a `Renderer` is given it."""
    first_sample = first_token * TOKEN_SAMPLES
    return [
        torch.from_numpy(mel_of_frame(sound, first_sample, first_step(frame, frame_samples)))
        for frame in frames
    ]


def open_renderer(setup: FaceSetup, bundle: Bundle) -> Wav2LipRenderer:
    """For a show. Raises WeightsError naming the file that is missing, EngineError."""
    # As in the server: every call has one of a few shapes.
    torch.backends.cudnn.benchmark = True
    device = own_settings(setup.settings).resolve_device(has_cuda=torch.cuda.is_available())
    network = load_network(weights_folder(setup.settings)).to(device)
    return Wav2LipRenderer(network, faces_of(bundle), setup.frame_samples)


def faces_of(bundle: Bundle) -> Pixels:
    """The faces of a bundle, of the size that the network sees. Raises BundleError, EngineError."""
    faces = bundle.faces
    if faces.shape[1] != FACE_PX:
        raise EngineError("bad_bundle", "Its faces have another size than the network's.")
    return faces


def load_network(folder: WeightsFolder) -> Wav2Lip256:
    """With its official weights. Raises WeightsError."""
    (path,) = folder.find(GENERATOR)
    with torch.device("meta"):
        network = Wav2Lip256()
    checkpoints.fill(network, read_generator(path), path)
    return network


def read_generator(path: Path) -> checkpoints.State:
    """The tensors of the file: a training checkpoint whose names begin with `module.`."""
    content = checkpoints.read_file(path)
    state = content.get("state_dict", content)
    is_state = isinstance(state, dict) and state
    if not is_state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise checkpoints.unreadable(path, "it holds something else than weights by name")
    return checkpoints.without_prefix(state, "module.")
