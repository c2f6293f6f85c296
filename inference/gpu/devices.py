"""What the server does with a device beside its passes: its name, and copies of films to it."""

from __future__ import annotations

from collections.abc import Callable

import torch


def name_device(device: torch.device) -> str:
    """The GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"


class FilmCopier:
    """Brings films to a device beside its passes.

    On the stream of the passes all broadcasts would wait until hundreds of megabytes are there.
    """

    def __init__(self, device: torch.device) -> None:
        is_cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream() if is_cuda else None  # type: ignore[no-untyped-call]

    def copy(self, keep: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What `keep` puts on the device; waits. Raises MemoryError: there is none left."""
        try:
            return keep() if self._stream is None else _copied(keep, self._stream)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error


def _copied(keep: Callable[[], torch.Tensor], stream: torch.cuda.Stream) -> torch.Tensor:
    with torch.cuda.stream(stream):
        film = keep()
    stream.synchronize()
    # Its memory is the copier's: without this the next film could be written over it while a pass
    # that reads it is still on the device.
    film.record_stream(torch.cuda.default_stream())
    return film
