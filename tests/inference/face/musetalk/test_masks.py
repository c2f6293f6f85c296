"""P7: masks raw, neck and jaw, and the network behind them, against MuseTalk's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.engines.base import EngineError
from inference.engines.face.musetalk import geometry
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.masks import region_of_labels
from inference.engines.face.musetalk.parsing import BiSeNet, crop_of_picture, load_parser
from inference.engines.face.musetalk.weights import FACE_PARSER
from inference.engines.weights import WeightsError, WeightsFolder
from tests.inference.face import references
from tests.inference.face.musetalk import portrait, tiny
from tests.inference.face.musetalk.make_mask_reference import SIDE, labels, parser_state, picture
from tests.inference.face.musetalk.test_build import build


@pytest.fixture(scope="module")
def reference() -> Any:
    return references.reference("tests.inference.face.musetalk.make_mask_reference")


@pytest.mark.parametrize("version", ["v1", "v1.5"])
@pytest.mark.parametrize("mode", ["raw", "neck", "jaw"])
def test_regions_are_those_of_musetalk(reference: Any, mode: str, version: str) -> None:
    made = region_of_labels(labels(), mode, version, SIDE)

    np.testing.assert_array_equal(made, reference[f"{mode}_{version}"])


def test_network_is_that_of_musetalk(reference: Any) -> None:
    network = BiSeNet().eval()
    network.load_state_dict(parser_state(network))

    with torch.inference_mode():
        made = network(picture())[0, :, ::5, ::5].numpy()

    assert sorted(network.state_dict()) == reference["keys"].tolist()
    np.testing.assert_allclose(made, reference["network"], atol=1e-4, rtol=1e-4)


def test_parser_loads_its_official_file_and_finds_a_region(tmp_path: Path) -> None:
    path = tmp_path / "face-parse-bisent" / "79999_iter.pth"
    path.parent.mkdir()
    torch.save(parser_state(BiSeNet()), path)
    (part,) = tiny.unpublished((FACE_PARSER,))

    parser = load_parser(WeightsFolder(tmp_path), part)
    crop = crop_of_picture(portrait.pictures()[0], (-20, 40, 280, 340))
    region = parser.region(crop, "raw", "v1.5")

    assert crop.shape == (300, 300, 3)
    assert not crop[:, :20].any()
    assert region.shape == (300, 300)


def test_mask_that_needs_the_parser_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_ENGINES", "1")

    with pytest.raises(WeightsError) as caught:
        build(tmp_path, settings={"weights": str(tmp_path / "weights")}, options={"mask": "jaw"})

    said = caught.value.message
    assert "face-parse-bisent/79999_iter.pth" in said
    assert "research only" in said


def test_unknown_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="polygon, raw, neck, jaw"):
        build(tmp_path, options={"mask": "beard"})


@pytest.mark.long
def test_mask_of_a_network_is_cut_and_blurred_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lower half inside the box, as MuseTalk's: no more than the polygon may reach."""
    monkeypatch.setenv("TEST_ENGINES", "1")
    weights = tmp_path / "weights" / "face-parse-bisent"
    weights.mkdir(parents=True)
    state = parser_state(BiSeNet())
    # Skin wherever it looks: with weights by formula it may find none in a picture.
    state["conv_out.conv_out.weight"].zero_()[1] = 1
    torch.save(state, weights / "79999_iter.pth")
    folder = tmp_path / "made"
    folder.mkdir()

    build(folder, settings={"weights": str(weights.parent)}, options={"mask": "neck"})

    bundle = open_bundle(folder)
    assert bundle.manifest.options == {"mask": "neck"}
    rois = bundle.film.rois.tolist()
    for number, (box, roi) in enumerate(zip(bundle.film.boxes.tolist(), rois, strict=True)):
        crop = geometry.crop_box(tuple(box))
        assert bundle.film.mask(number).max() == 255
        assert roi[1] >= (crop[1] + crop[3]) / 2 - 0.1 * (crop[3] - crop[1])
