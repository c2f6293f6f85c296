"""Our networks and features against what MuseTalk's own code makes of the same small networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from inference.engines.face.musetalk.faces import encode_positions
from inference.engines.face.musetalk.networks import NetworkLoader
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.face.musetalk.windows import cut_prompts
from inference.engines.weights import WeightsFolder
from tests.inference.face import references
from tests.inference.face.musetalk import tiny
from tests.inference.face.musetalk.tiny import CLIP_SECONDS, RATES, SEED, V1_RATES

RECIPE = "tests.inference.face.musetalk.make_reference"
# Of one machine. Kept results are of another processor, whose exponents and logarithms differ in
# the last bit: in a mel most where nearly nothing sounds.
IS_BESIDE = references.checkout_for(RECIPE) is not None
MEL_TOLERANCE = 1e-6 if IS_BESIDE else 1e-4
SINGLE_TOLERANCE = 0.0 if IS_BESIDE else 4e-6


@pytest.fixture(scope="module")
def reference() -> Any:
    return references.reference(RECIPE)


@pytest.fixture(scope="module")
def livetalking() -> Any:
    return references.reference("tests.inference.face.musetalk.make_livetalking_reference")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny.write_all(folder)
    return folder


def loader(folder: Path, **settings: Any) -> NetworkLoader:
    chosen = MuseTalkSettings(device="cpu", **settings)
    return NetworkLoader(WeightsFolder(folder), chosen, tiny.unpublished())


def numbered(length: int) -> torch.Tensor:
    """Tokens of a sound of `length` samples: token t has the value t + 1, so 0 is padding."""
    return torch.arange(1, length // 320 + 1, dtype=torch.float64)[:, None, None]


@pytest.mark.parametrize("seconds", CLIP_SECONDS)
@pytest.mark.parametrize("rate", RATES)
def test_v15_windows_are_those_of_musetalk(reference: Any, seconds: float, rate: int) -> None:
    expected = reference[f"v15_{seconds}_{rate}"]
    tokens = numbered(round(seconds * 16_000))

    cut = cut_prompts(tokens, 0, range(len(expected)), 48_000 // rate, "v1.5")

    np.testing.assert_array_equal(cut[:, :, 0].numpy(), expected)


@pytest.mark.parametrize("seconds", CLIP_SECONDS)
@pytest.mark.parametrize("rate", V1_RATES)
def test_v1_windows_are_those_of_musetalk(reference: Any, seconds: float, rate: int) -> None:
    expected = reference[f"v1_{seconds}_{rate}"]
    tokens = numbered(round(seconds * 16_000))

    cut = cut_prompts(tokens, 0, range(len(expected)), 48_000 // rate, "v1")

    np.testing.assert_array_equal(cut[:, :, 0].numpy() - 1, expected)


@pytest.mark.parametrize("rate", [15, 25, 30])
def test_window_reaches_80_ms_back_from_the_start_of_the_frame(rate: int) -> None:
    """A window that starts at the frame itself makes lips 80 ms early: seen in other products."""
    frame = 2 * rate

    cut = cut_prompts(numbered(64_000), 0, range(frame, frame + 1), 48_000 // rate, "v1.5")

    np.testing.assert_array_equal(cut[0, :, 0].numpy() - 1, np.arange(100 - 4, 100 + 6))


@pytest.mark.parametrize("seconds", CLIP_SECONDS)
def test_windows_that_hear_80_ms_too_late_are_noticed(reference: Any, seconds: float) -> None:
    """LiveTalking counts through padded tokens without the padding: frame i is given 2i ... 2i+9.

    P3 is worth something only if such windows fail it. Frames at the ends are padded either way.
    """
    expected = reference[f"v15_{seconds}_25"]
    tokens = numbered(round(seconds * 16_000))

    shifted = cut_prompts(tokens, -4, range(len(expected)), 1920, "v1.5")[:, :, 0].numpy()

    inside = slice(2, -5)
    np.testing.assert_array_equal(shifted[inside], expected[inside] + 4)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(shifted, expected)


def test_windows_of_livetalking_are_80_ms_later_than_ours(livetalking: Any) -> None:
    """What its own code gives the frames of a batch; ours are MuseTalk's, see above."""
    theirs = livetalking["windows"]
    frames = range(10, 10 + len(theirs))

    ours = cut_prompts(numbered(64_000), 0, frames, 1920, "v1.5")[:, :, 0].numpy() - 1

    np.testing.assert_array_equal(theirs + 2 * frames.start, ours + 4)


@pytest.mark.parametrize("version", ["v1", "v1.5"])
def test_features_are_those_of_musetalk(reference: Any, folder: Path, version: Any) -> None:
    name = version.replace(".", "")
    features = loader(folder, version=version).load_features()

    mel = features.mel(tiny.sound())
    tokens = features.encode(tiny.sound())

    off = np.abs(mel[::7, ::53].numpy() - reference[f"mel_{name}"])
    assert np.quantile(off, 0.99) < 1e-6
    assert off.max() < MEL_TOLERANCE
    np.testing.assert_allclose(tokens, reference[f"features_{name}"], atol=1e-5, rtol=0)


def test_v15_normalises_the_last_layer_and_v1_does_not(folder: Path) -> None:
    last = {
        version: loader(folder, version=version).load_features().encode(tiny.sound(0.5))[:, -1]
        for version in ("v1", "v1.5")
    }

    assert not torch.allclose(last["v1"], last["v1.5"], atol=0.1)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, SINGLE_TOLERANCE), (torch.float16, 1e-3)]
)
def test_positions_are_those_of_musetalk(
    reference: Any, dtype: torch.dtype, tolerance: float
) -> None:
    positions = encode_positions(50, 384).to(dtype)[::7].float().numpy()

    np.testing.assert_allclose(positions, reference["positions"], atol=tolerance, rtol=0)


def test_positions_are_exactly_the_formula_in_single_precision() -> None:
    """As the network computes them when it is made: sines at even places, cosines at odd ones."""
    angles = torch.arange(0, 50).unsqueeze(1).float() * torch.exp(
        torch.arange(0, 384, 2).float() * (-math.log(10_000.0) / 384)
    )
    expected = torch.zeros(50, 384)
    expected[:, 0::2], expected[:, 1::2] = torch.sin(angles), torch.cos(angles)

    torch.testing.assert_close(encode_positions(50, 384), expected, rtol=0, atol=0)


def test_latents_of_a_face_are_those_of_musetalk(reference: Any, folder: Path) -> None:
    encoder = loader(folder).load_encoder()
    faces = tiny.face()[None]

    likely = encoder.encode(faces)
    sampled = encoder.encode(faces, torch.Generator().manual_seed(SEED))

    np.testing.assert_allclose(likely, reference["latents_mode"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(sampled, reference["latents_sampled"], atol=1e-5, rtol=0)


def test_faces_are_those_of_musetalk(reference: Any, folder: Path) -> None:
    painter = loader(folder).load().painter
    latents = torch.from_numpy(reference["latents_mode"])

    made = painter.paint_latents(latents, tiny.prompts(1))
    painted = painter.paint(latents, tiny.prompts(1))

    np.testing.assert_allclose(made, reference["latents_made"], atol=1e-4, rtol=0)
    differences = np.abs(painted.astype(int) - reference["painted"].astype(int))
    assert painted.shape == (1, 64, 64, 3)
    assert differences.max() <= 1


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.02), ("bf16", 0.15)])
def test_half_precision_is_near_full_precision(
    reference: Any, folder: Path, precision: Any, tolerance: float
) -> None:
    """Relative to the spread of values; weights by formula amplify more than trained ones."""
    chosen = loader(folder, precision=precision)
    networks = chosen.load()
    latents = torch.from_numpy(reference["latents_mode"])
    to_show = torch.from_numpy(reference["latents_made"]).to(chosen.dtype)

    tokens = networks.features.encode(tiny.sound()).float().numpy()
    made = networks.painter.paint_latents(latents, tiny.prompts(1)).float().numpy()
    painted = chosen.load_decoder().decode(to_show).numpy().astype(float)

    for ours, name in ((tokens, "features_v15"), (made, "latents_made"), (painted, "painted")):
        error = np.abs(ours - reference[name]).mean() / reference[name].std()
        assert error < tolerance, (name, error)


def test_tiny_decoder_takes_latents_as_the_unet_makes_them(folder: Path) -> None:
    decoder = loader(folder, decoder="tiny").load_decoder()
    latents = torch.linspace(-4, 4, 4 * 64).reshape(1, 4, 8, 8)

    whole = AutoencoderTiny().eval()
    whole.decoder.load_state_dict(tiny.by_formula(whole.decoder))
    with torch.inference_mode():
        expected = whole.decode(latents).sample.clamp(-1, 1)

    pictures = decoder.decode(latents).flip(3).permute(0, 3, 1, 2).float() / 127.5 - 1
    torch.testing.assert_close(pictures, expected, atol=1 / 127, rtol=0)
