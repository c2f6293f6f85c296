"""Faces of several moments, films or broadcasts painted in one pass: the work of a device.

A pass has one of a few sizes, the buckets, so that each can be warmed up, and on CUDA recorded as
one graph: the launches of its thousand kernels then cost nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import torch

from inference.engines.base import EngineError
from inference.engines.face.musetalk.bundle import Pixels

logger = logging.getLogger(__name__)

Made = TypeVar("Made")

BUCKETS: Final = (1, 2, 4, 8, 16, 32)
# Passes whose faces may be on their way to this side at once.
IN_FLIGHT: Final = 2
_GRAPH_REHEARSALS: Final = 3


class Network(Protocol):
    """What paints: faces of film frames that follow prompts."""

    device: torch.device

    def paint_on_device(self, frames: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3) uint8 BGR on the device."""


class _Clocked(Protocol):
    def synchronize(self) -> None: ...

    def query(self) -> bool: ...


class Painting:
    """Faces that are being painted: (n, rows, size, 3) uint8 BGR, from the first row shown on."""

    def __init__(self, faces: Pixels, event: _Clocked | None = None) -> None:
        self._faces = faces
        self._event = event

    def is_done(self) -> bool:
        return self._event is None or self._event.query()

    def faces(self) -> Pixels:
        """Waits. They are overwritten when IN_FLIGHT more passes have been started."""
        if self._event is not None:
            self._event.synchronize()
        return self._faces


class Passes:
    """Runs a network in passes of the sizes of `buckets`, the rest of a pass filled up.

    frame, prompt: of a film and of the sound, empty tensors of their shapes and numbers. graphs:
    record each pass as a CUDA graph; None where there is a GPU. Raises EngineError when graphs are
    asked of a processor.
    """

    def __init__(
        self,
        network: Network,
        frame: torch.Tensor,
        prompt: torch.Tensor,
        buckets: tuple[int, ...],
        *,
        graphs: bool | None,
    ) -> None:
        is_cuda = network.device.type == "cuda"
        if graphs and not is_cuda:
            raise EngineError(
                "no_cuda_graphs",
                "CUDA graphs need an NVIDIA GPU; this runs on the processor.",
                retryable=False,
            )
        self.buckets = buckets
        self.device = network.device
        self._network = network
        self._frame, self._prompt = frame, prompt
        self._stagings = [_Staging() for _ in range(IN_FLIGHT)] if is_cuda else []
        self._turn = 0
        self._graphs: dict[int, _Graph] = {}
        if is_cuda and graphs is not False:
            self._record_graphs()

    def keep(self, film: np.ndarray[Any, Any]) -> torch.Tensor:
        """A film, (n, *frame), on the device."""
        # A copy of a file that is mapped read-only; what was read is kept as it is.
        return torch.from_numpy(np.require(film, requirements="W")).to(self.device)

    def start(
        self, frames: Sequence[torch.Tensor], prompts: Sequence[torch.Tensor], first_row: int = 0
    ) -> Painting:
        """Begin to paint faces, at most the largest bucket of them.

        frames: of a kept film. prompts: features of a frame each, on any device.
        first_row: rows above it are left out.
        """
        count = len(frames)
        bucket = self.bucket_of(count)
        filled = [0] * (bucket - count)
        with torch.inference_mode():
            given = torch.stack([*frames, *(frames[at] for at in filled)])
            heard = self._moved([*prompts, *(prompts[at] for at in filled)])
            graph = self._graphs.get(bucket)
            faces = (
                graph.run(given, heard) if graph else self._network.paint_on_device(given, heard)
            )
            return self._fetch(faces[:count, first_row:])

    def paint(
        self, frames: Sequence[torch.Tensor], prompts: Sequence[torch.Tensor], first_row: int = 0
    ) -> Pixels:
        """As `start`, any number of faces, waited for. Rows above the first one shown are black."""
        largest = self.buckets[-1]
        made = []
        for at in range(0, len(frames), largest):
            part = slice(at, at + largest)
            shown = self.start(frames[part], prompts[part], first_row).faces()
            made.append(np.pad(shown, ((0, 0), (first_row, 0), (0, 0), (0, 0))))
        return np.concatenate(made)

    def bucket_of(self, count: int) -> int:
        """The smallest bucket that `count` fits into. Raises ValueError beyond the largest."""
        for bucket in self.buckets:
            if count <= bucket:
                return bucket
        raise ValueError(f"{count} are more than the largest pass of {self.buckets[-1]}")

    def measure_faces(self, rounds: int = 3) -> dict[int, float]:
        """Seconds of a pass of each bucket. First calls are paid here.

        Buckets that the device has no memory for are not there any more.
        """
        frame = torch.zeros_like(self._frame, device=self.device)
        prompt = torch.zeros_like(self._prompt)
        took = self.of_each_bucket(
            lambda size: seconds_of(
                lambda: self.start([frame] * size, [prompt] * size).faces(), rounds
            )
        )
        self.buckets = tuple(took)
        return took

    def of_each_bucket(self, work: Callable[[int], Made]) -> dict[int, Made]:
        """What `work` makes of each size, up to the first that the device has no memory for.

        Raises torch.OutOfMemoryError when that is the smallest.
        """
        made: dict[int, Made] = {}
        for bucket in self.buckets:
            try:
                made[bucket] = work(bucket)
            except torch.OutOfMemoryError as error:
                if not made:
                    raise
                logger.warning("no memory for passes of %d: %s", bucket, error)
                break
        return made

    def _record_graphs(self) -> None:
        """A pass that cannot be recorded runs as it is: slower, not wrong.

        One that there is no memory for is not offered: later, beside films, it would fail.
        """
        pool: Any = None
        for bucket in reversed(self.buckets):
            try:
                graph = _Graph(self._network, bucket, self._frame, self._prompt, pool)
            except torch.OutOfMemoryError as error:
                logger.warning("no memory for passes of %d: %s", bucket, error)
                self.buckets = tuple(size for size in self.buckets if size < bucket)
                continue
            except RuntimeError as error:
                logger.warning("no CUDA graph of %d faces: %s", bucket, error)
                continue
            self._graphs[bucket] = graph
            # Passes run one after the other, so the smaller ones can use the memory of the largest.
            pool = graph.pool
        if not self.buckets:
            raise torch.OutOfMemoryError("There is no memory on the device for a single face.")

    def _moved(self, prompts: list[torch.Tensor]) -> torch.Tensor:
        if not self._stagings or prompts[0].device.type == "cuda":
            return torch.stack(prompts).to(self.device)
        staging = self._stagings[self._turn].prompts(torch.stack(prompts))
        return staging.to(self.device, non_blocking=True)

    def _fetch(self, faces: torch.Tensor) -> Painting:
        if not self._stagings:
            return Painting(faces.numpy())
        host = self._stagings[self._turn].faces(faces.contiguous())
        self._turn = (self._turn + 1) % IN_FLIGHT
        # A wait for one that does not block keeps a core busy, which the encoder needs.
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # PyTorch's own
        event.record()
        return Painting(host.numpy(), event)


class _Staging:
    """Page-locked memory of one pass: this process does not wait for copies to and from it.

    They have their turn between two passes: 4 MB of 32 faces, tenths of a millisecond.
    """

    def __init__(self) -> None:
        self._prompts = torch.empty(0)
        self._faces = torch.empty(0)

    def prompts(self, values: torch.Tensor) -> torch.Tensor:
        self._prompts = _locked(self._prompts, values)
        part = self._prompts[: values.numel()].view(values.shape)
        return part.copy_(values)

    def faces(self, values: torch.Tensor) -> torch.Tensor:
        self._faces = _locked(self._faces, values)
        part = self._faces[: values.numel()].view(values.shape)
        return part.copy_(values, non_blocking=True)


class _Graph:
    """One recorded pass. Source: PyTorch, "CUDA graphs": rehearsed on a stream of its own."""

    def __init__(
        self,
        network: Network,
        bucket: int,
        frame: torch.Tensor,
        prompt: torch.Tensor,
        pool: Any,
    ) -> None:
        device = network.device
        self._frames = frame.new_zeros((bucket, *frame.shape), device=device)
        self._prompts = prompt.new_zeros((bucket, *prompt.shape), device=device)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # PyTorch's own
        side.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(side):
            for _ in range(_GRAPH_REHEARSALS):
                network.paint_on_device(self._frames, self._prompts)
        usual = torch.cuda.current_stream()
        usual.wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Around it the usual stream: a capture that fails may leave its own one in use, and what
        # follows would not be in order with what other threads put on the device.
        with torch.inference_mode(), torch.cuda.stream(usual):
            with torch.cuda.graph(self._graph, pool=pool):
                self._faces = network.paint_on_device(self._frames, self._prompts)
        self.pool = self._graph.pool()

    def run(self, frames: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        self._frames.copy_(frames)
        self._prompts.copy_(prompts)
        self._graph.replay()
        return self._faces


def _locked(memory: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Flat page-locked memory that `values` fit into: what there is, or more."""
    if memory.numel() >= values.numel() and memory.dtype == values.dtype:
        return memory
    return torch.empty(values.numel(), dtype=values.dtype, pin_memory=True)


def seconds_of(work: Any, rounds: int) -> float:
    """Of the quickest call: what else the machine does can only add. The first is not counted."""
    work()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)
