"""MuseTalk's own code run beside ours: what is committed as its results is what it gives today.

Collected where MUSETALK_CHECKOUT names a checkout of github.com/TMElyralab/MuseTalk. The recipe of
`reference.npz` also needs transformers and einops.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# In the official sizes it takes 8 GB and a minute.
FULL = pytest.param("make_full_reference", marks=pytest.mark.long)
RECIPES = {
    "make_full_reference": "full_reference.npz",
    "make_mask_reference": "mask_reference.npz",
    "make_paste_reference": "paste_reference.npz",
    "make_reference": "reference.npz",
}


@pytest.mark.parametrize("recipe", [FULL, *sorted(RECIPES)[1:]])
def test_committed_results_are_those_of_the_checkout(tmp_path: Path, recipe: str) -> None:
    made = tmp_path / "made.npz"
    module = f"tests.inference.face.musetalk.{recipe}"
    command = [sys.executable, "-m", module, os.environ["MUSETALK_CHECKOUT"], str(made)]

    subprocess.run(command, check=True, timeout=600)

    committed = np.load(Path(__file__).with_name(RECIPES[recipe]), allow_pickle=False)
    fresh = np.load(made, allow_pickle=False)
    assert sorted(fresh) == sorted(committed)
    for name in committed:
        if committed[name].dtype.kind == "f":
            np.testing.assert_allclose(fresh[name], committed[name], atol=1e-4, rtol=1e-4)
        elif name == "painted" or name.startswith("pasted"):
            assert np.abs(fresh[name].astype(int) - committed[name].astype(int)).max() <= 1
        else:
            np.testing.assert_array_equal(fresh[name], committed[name])
