"""MuseTalk's own code run beside ours: what is committed as its results is what it gives today.

Collected where MUSETALK_CHECKOUT names a checkout of github.com/TMElyralab/MuseTalk. The recipe of
`reference.npz` also needs transformers and einops. LiveTalking's results are looked at where
LIVETALKING_CHECKOUT names a checkout of it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.engines.face import avatar_build
from inference.engines.face.musetalk.cycle import mirrored
from inference.engines.face.musetalk.paste import paste_face
from inference.media.picture import planes
from tests.inference.face import references
from tests.inference.face.musetalk import make_avatar_reference as avatar
from tests.inference.face.musetalk.foreign import BOXES, COUNT, latents, zipped
from tests.inference.face.musetalk.test_importing import take
from tests.inference.face.musetalk.test_paste import psnr

HERE = "tests.inference.face.musetalk"
RECIPES = [
    # In the official sizes it takes 8 GB and a minute.
    pytest.param(f"{HERE}.make_full_reference", marks=pytest.mark.long),
    f"{HERE}.make_avatar_reference",
    f"{HERE}.make_mask_reference",
    f"{HERE}.make_paste_reference",
    f"{HERE}.make_reference",
]
if "LIVETALKING_CHECKOUT" in os.environ:
    RECIPES.append(f"{HERE}.make_livetalking_reference")


@pytest.mark.parametrize("recipe", RECIPES)
def test_committed_results_are_those_of_the_checkout(recipe: str) -> None:
    committed, fresh = references.kept(recipe), references.fresh(recipe)

    assert sorted(fresh) == sorted(committed)
    for name, values in committed.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(fresh[name], values, atol=1e-4, rtol=1e-4)
        elif name.startswith(("painted", "pasted", "offline")):
            assert np.abs(fresh[name].astype(int) - values.astype(int)).max() <= 1
        else:
            np.testing.assert_array_equal(fresh[name], values)


def test_avatar_that_musetalk_prepared_is_shown_as_musetalk_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the folder that its own script writes to the pictures that it puts together."""
    monkeypatch.setattr(avatar_build, "write_preview_film", lambda *_: None)
    folder = tmp_path / "old"
    command = [sys.executable, "-m", avatar.__name__, os.environ["MUSETALK_CHECKOUT"]]
    subprocess.run([*command, str(tmp_path / "made.npz"), str(folder)], check=True, timeout=600)

    bundle = take(zipped(folder, tmp_path / "old.zip"))

    assert bundle.manifest.frames == COUNT
    assert bundle.manifest.version == "v1.5"
    np.testing.assert_array_equal(bundle.film.boxes, BOXES)
    for number in range(COUNT):
        np.testing.assert_array_equal(bundle.latents[number], latents(number)[0])
    for position in range(avatar.SHOWN):
        theirs = cv2.imread(str(folder / "tmp" / f"{position:08d}.png"))
        assert theirs is not None
        expected = cv2.cvtColor(theirs[:120, :160].copy(), cv2.COLOR_BGR2YUV_I420)
        frame = mirrored(position, COUNT)
        ours = bundle.film.frames[frame].copy()
        assert psnr(ours, expected) < 30  # without the face
        paste_face(bundle.film, frame, avatar.face(position), planes(ours))
        assert psnr(ours, expected) > 45
