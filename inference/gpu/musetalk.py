"""MuseTalk for the server: the same passes as in a face worker, of more broadcasts at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from inference.engines.face.musetalk import tiny
from inference.engines.face.musetalk.batches import FaceBatches, Heard
from inference.engines.face.musetalk.engine import FACE_PX
from inference.engines.face.musetalk.networks import NetworkLoader
from inference.engines.face.musetalk.networks import Networks as Loaded
from inference.engines.face.musetalk.passes import BUCKETS, Painting
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.weights import WeightsFolder
from inference.gpu.devices import FilmCopier, name_device
from inference.gpu.painters import FaceOrder, FilmForm, Networks, Seconds, SoundOrder
from inference.gpu.wire import Bytes, Shapes

# A processor gains nothing from large passes, and measuring them takes long.
_MAX_BUCKET: Final = {"cuda": BUCKETS[-1], "cpu": 4}


class MuseTalkPainter:
    """`Painter` on one device."""

    def __init__(self, loaded: Loaded, face_px: int, buckets: tuple[int, ...], graphs: bool | None):
        latent_px = face_px // 8
        self.film = FilmForm((8, latent_px, latent_px), np.float16)
        self._batches = FaceBatches(loaded, latent_px, buckets, graphs=graphs)
        self.device = name_device(self._batches.device)
        self._films = FilmCopier(self._batches.device)
        tokens, width = self._batches.prompt_shape
        self._dtype = self._batches.prompt_dtype
        is_cuda = self._batches.device.type == "cuda"
        # Hearing waits for its own work alone, not for the faces that are being painted; and goes
        # before them, for the server's loop stands still meanwhile.
        self._hearing = _new_urgent_stream() if is_cuda else None
        if self._hearing is not None:
            # Weights that are still on their way to the device are on the usual stream.
            self._hearing.wait_stream(torch.cuda.current_stream())
        self.shapes = Shapes(tokens * width * self._dtype.itemsize, face_px)

    def keep(self, film: np.ndarray[Any, Any]) -> torch.Tensor:
        return self._films.copy(lambda: self._batches.keep(film))

    def hear(self, orders: Sequence[SoundOrder]) -> list[Bytes]:
        heard = [Heard(o.sound, o.first_token, o.frames, o.frame_samples) for o in orders]
        with self._on_its_stream():
            return [_bytes_of(features) for features in self._batches.hear(heard)]

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Painting:
        latents = [order.film[order.index] for order in orders]
        return self._batches.start(latents, [self._prompt(o.prompt) for o in orders], first_row)

    def measure(self) -> tuple[Seconds, Seconds]:
        # Sizes that there is no memory for are found out by the faces, which take more of it.
        faces = self._batches.measure_faces()
        # Where it will be heard: CUDA keeps memory and workspaces for each stream.
        with self._on_its_stream():
            return faces, self._batches.measure_sounds()

    def _on_its_stream(self) -> AbstractContextManager[Any]:
        return torch.cuda.stream(self._hearing) if self._hearing else nullcontext()

    def _prompt(self, raw: Bytes) -> torch.Tensor:
        # A copy: the memory is the client's too.
        values = torch.from_numpy(raw.copy()).view(self._dtype)
        return values.reshape(self._batches.prompt_shape)


def open_painter(
    networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
) -> MuseTalkPainter:
    """Load the networks. Raises EngineError that says what is missing."""
    settings = MuseTalkSettings.from_json(
        {"version": networks.version, "decoder": networks.decoder, "device": device}
    )
    where = settings.resolve_device(has_cuda=torch.cuda.is_available())
    buckets = tuple(size for size in BUCKETS if size <= (max_bucket or _MAX_BUCKET[where]))
    if networks.engine == tiny.ENGINE:
        torch.set_num_threads(1)
        return MuseTalkPainter(tiny.make_networks(where), tiny.FACE_PX, buckets, graphs)
    torch.backends.cudnn.benchmark = True
    loaded = NetworkLoader(WeightsFolder(weights), settings).load()
    return MuseTalkPainter(loaded, FACE_PX, buckets, graphs)


def _bytes_of(features: torch.Tensor) -> Bytes:
    """(frames, bytes of a frame)"""
    flat = features.contiguous().cpu().flatten(1)
    return np.asarray(flat.view(torch.uint8).numpy())


def _new_urgent_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream(priority=-1)  # type: ignore[no-untyped-call]  # PyTorch's own
