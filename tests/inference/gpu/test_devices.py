"""Films on their way to a device: what can be shown of it without a GPU."""

from __future__ import annotations

import pytest
import torch

from inference.gpu.devices import FilmCopier


def test_film_without_memory_for_it_is_told_from_a_broken_device() -> None:
    copier = FilmCopier(torch.device("cpu"))

    def fail(error: Exception) -> torch.Tensor:
        raise error

    with pytest.raises(MemoryError):
        copier.copy(lambda: fail(torch.OutOfMemoryError("CUDA out of memory.")))
    with pytest.raises(torch.AcceleratorError):
        copier.copy(lambda: fail(torch.AcceleratorError("CUDA error: unknown error")))


def test_film_arrives_as_it_is() -> None:
    film = torch.arange(6)

    assert FilmCopier(torch.device("cpu")).copy(lambda: film) is film
