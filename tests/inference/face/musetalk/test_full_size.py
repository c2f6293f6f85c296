"""P6 in the official sizes: from files of 3.7 GB to a face, as MuseTalk's own code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.engines.face.musetalk.faces import FacePainter
from inference.engines.face.musetalk.networks import NetworkLoader
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.weights import WeightsFolder
from tests.inference.face import references
from tests.inference.face.musetalk import full_size, tiny

pytestmark = pytest.mark.long


def test_full_networks_paint_what_musetalk_paints(tmp_path: Path) -> None:
    reference = references.reference("tests.inference.face.musetalk.make_full_reference")
    full_size.write(tmp_path)
    settings = MuseTalkSettings(device="cpu", precision="fp32")
    loader = NetworkLoader(WeightsFolder(tmp_path), settings, tiny.unpublished())

    latents = loader.load_encoder().encode(full_size.face()[None])
    np.testing.assert_allclose(latents, reference["latents"], atol=1e-5, rtol=0)
    unet, decoder = loader.load_unet(), loader.load_decoder()
    made = FacePainter(unet, decoder).paint_latents(latents, full_size.prompt())
    other = FacePainter(unet, decoder).paint_latents(latents, -full_size.prompt())
    face = decoder.decode(made).numpy()[:, :: full_size.STRIDE, :: full_size.STRIDE]

    np.testing.assert_allclose(made, reference["latents_made"], atol=1e-4, rtol=0)
    # What is heard is seen: or else any prompt would pass.
    assert (other - made).abs().max() > 0.01
    differences = np.abs(face.astype(int) - reference["painted"].astype(int))
    assert face.shape == reference["painted"].shape
    assert differences.max() <= 1
    assert sum(value.numel() for value in unet.parameters()) == 849_947_844
