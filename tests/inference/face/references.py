"""What the reference made: as it is kept here, or as a checkout of it makes it now.

MUSETALK_CHECKOUT and LIVETALKING_CHECKOUT name checkouts of github.com/TMElyralab/MuseTalk and
github.com/lipku/LiveTalking. Where one of them is set, the tests compare ours with what that code
makes beside it, on this machine; else with the arrays that it once made and that are kept here.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

_OF_LIVETALKING: Final = (
    "tests.inference.face.musetalk.make_livetalking_reference",
    "tests.inference.face.wav2lip.make_reference",
)


def checkout_for(recipe: str) -> str | None:
    """Where the code is that a recipe, a module's name, runs; None when there is none here."""
    variable = "LIVETALKING_CHECKOUT" if recipe in _OF_LIVETALKING else "MUSETALK_CHECKOUT"
    return os.environ.get(variable)


def reference(recipe: str) -> Arrays:
    """Of the checkout, if there is one, else what is kept."""
    return fresh(recipe) if checkout_for(recipe) else kept(recipe)


def kept(recipe: str) -> Arrays:
    """What the recipe `make_NAME` wrote into NAME.npz beside it."""
    spec = importlib.util.find_spec(recipe)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin)
    return _load(path.with_name(f"{path.stem.removeprefix('make_')}.npz"))


@functools.cache
def fresh(recipe: str) -> Arrays:
    """What the checkout makes now."""
    checkout = checkout_for(recipe)
    assert checkout is not None
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.npz"
        # A process of its own: it replaces modules that the tests need.
        command = [sys.executable, "-m", recipe, checkout, str(made)]
        subprocess.run(command, check=True, timeout=900)
        return _load(made)


def _load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
