"""Wav2Lip for the server: the same passes as in a face worker, of more broadcasts at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from inference.engines.face.musetalk.passes import BUCKETS, Painting, seconds_of
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.face.musetalk.soundtrack import HISTORY_SAMPLES
from inference.engines.face.wav2lip import tiny
from inference.engines.face.wav2lip.modeling import FACE_PX, MEL_BANDS, MEL_STEPS, Wav2Lip256
from inference.engines.face.wav2lip.renderer import Wav2LipPasses, load_network, mels_of_frames
from inference.engines.weights import WeightsFolder
from inference.gpu.devices import FilmCopier, name_device
from inference.gpu.painters import FaceOrder, FilmForm, Networks, Seconds, SoundOrder
from inference.gpu.wire import Bytes, Shapes

# A processor gains nothing from large passes, and measuring them takes long.
_MAX_BUCKET: Final = {"cuda": BUCKETS[-1], "cpu": 4}


class Wav2LipPainter:
    """`Painter` on one device. Mel is made on the processor: it is no network's work."""

    film = FilmForm((FACE_PX, FACE_PX, 3), np.uint8)
    shapes = Shapes(MEL_BANDS * MEL_STEPS * 4, FACE_PX)

    def __init__(self, network: Wav2Lip256, buckets: tuple[int, ...], graphs: bool | None) -> None:
        self._passes = Wav2LipPasses(network, buckets, graphs=graphs)
        self.device = name_device(self._passes.device)
        self._films = FilmCopier(self._passes.device)

    def keep(self, film: np.ndarray[Any, Any]) -> torch.Tensor:
        return self._films.copy(lambda: self._passes.keep(film))

    def hear(self, orders: Sequence[SoundOrder]) -> list[Bytes]:
        return [_heard(order) for order in orders]

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Painting:
        frames = [order.film[order.index] for order in orders]
        return self._passes.start(frames, [_mel(order.prompt) for order in orders], first_row)

    def measure(self) -> tuple[Seconds, Seconds]:
        faces = self._passes.measure_faces()
        silence = SoundOrder(np.zeros(HISTORY_SAMPLES, np.float32), 0, range(4), 1920)
        heard = {
            size: seconds_of(lambda size=size: self.hear([silence] * size), 3) for size in faces
        }
        return faces, heard


def open_painter(
    networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
) -> Wav2LipPainter:
    """Load the network. Raises EngineError that says what is missing."""
    settings = MuseTalkSettings.from_json({"device": device})
    where = settings.resolve_device(has_cuda=torch.cuda.is_available())
    buckets = tuple(size for size in BUCKETS if size <= (max_bucket or _MAX_BUCKET[where]))
    if networks.engine == tiny.ENGINE:
        torch.set_num_threads(1)
        return Wav2LipPainter(tiny.make_network().to(where), buckets, graphs)
    torch.backends.cudnn.benchmark = True
    network = load_network(WeightsFolder(weights)).to(where)
    return Wav2LipPainter(network, buckets, graphs)


def _heard(order: SoundOrder) -> Bytes:
    """(frames, bytes of a frame)"""
    mels = mels_of_frames(order.sound, order.first_token, order.frames, order.frame_samples)
    return np.asarray(torch.stack(mels).flatten(1).view(torch.uint8).numpy())


def _mel(raw: Bytes) -> torch.Tensor:
    # A copy: the memory is the client's too.
    return torch.from_numpy(raw.copy()).view(torch.float32).reshape(MEL_BANDS, MEL_STEPS)
