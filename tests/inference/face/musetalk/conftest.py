"""PyTorch for these tests: imported only where one of them runs, and on one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Importing PyTorch takes seconds, and no test here belongs to these tiers."""
    if collection_path.name == "test_reference_beside.py" and "MUSETALK_CHECKOUT" not in os.environ:
        return True
    asked_for = str(config.getoption("markexpr")).split(" ")[0]
    return True if asked_for in {"database", "live", "gpu"} else None


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from a second thread and would take it from other tests."""
    import torch  # see above

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
