"""Wav2Lip 256: mel, shapes and names against LiveTalking's code, and its place in a show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from inference.engines.base import EngineError, FaceSetup, FaceSpeech
from inference.engines.face.musetalk.building import Footage, build_bundle
from inference.engines.face.musetalk.bundle import BundleError, open_bundle
from inference.engines.face.musetalk.spans import end_of_window
from inference.engines.face.wav2lip import engine, tiny
from inference.engines.face.wav2lip.mel import (
    BANDS,
    HOP,
    STEPS,
    WINDOW,
    first_step,
    mel_filters,
    mel_of_frame,
)
from inference.engines.face.wav2lip.modeling import Wav2Lip256
from inference.engines.face.wav2lip.renderer import Wav2LipPasses, Wav2LipRenderer, load_network
from inference.engines.weights import WeightsError, WeightsFolder
from tests.inference.face import references
from tests.inference.face.musetalk import films
from tests.inference.face.portrait import drawn
from tests.inference.face.wav2lip import make_reference

RECIPE = make_reference.__name__
FRAME = 1920
LEFT, WIDTH, HEIGHT = 480, 960, 720


@pytest.fixture(autouse=True)
def _test_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENGINES", "1")


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return references.reference(RECIPE)


def small_network() -> Wav2Lip256:
    network = tiny.make_network()
    torch.set_num_threads(1)
    return network


def renderer(count: int = 3) -> Wav2LipRenderer:
    faces = np.random.default_rng(1).integers(0, 255, (count, 256, 256, 3), np.uint8)
    return Wav2LipRenderer(small_network(), faces, FRAME)


def test_mel_is_that_of_the_reference(reference: dict[str, Any]) -> None:
    sound = make_reference.sound()

    # Of every place: a frame's window is cut out of the whole, wherever it begins.
    for step in (0, 1, 3, 50, reference["mel"].shape[1] - STEPS):
        mel = mel_of_frame(sound, 0, step)
        np.testing.assert_allclose(mel, reference["mel"][:, step : step + STEPS], atol=1e-5)


def test_mel_of_a_cut_of_the_sound_is_that_of_the_whole() -> None:
    sound = make_reference.sound()
    step = 40
    first = step * HOP - WINDOW // 2 - 1

    np.testing.assert_array_equal(mel_of_frame(sound[first:], first, step),
                                  mel_of_frame(sound, 0, step))  # fmt: skip
    assert (mel_of_frame(np.zeros(0, np.float32), 0, 9) == -4).all()


def test_bands_hear_what_slaney_says() -> None:
    filters = mel_filters()

    assert filters.shape == (BANDS, WINDOW // 2 + 1)
    # The first one of Slaney's linear part: 55 Hz and two steps of the mel scale above.
    heard = np.flatnonzero(filters[0]) * 16_000 / WINDOW
    assert heard.min() > 55
    assert heard.max() < 55 + 2 * 40
    assert filters[:, 0].max() == 0


@pytest.mark.parametrize(("frame", "step"), [(0, 0), (1, 3), (2, 6), (5, 16), (25, 80)])
def test_window_of_a_frame_begins_with_it(frame: int, step: int) -> None:
    assert first_step(frame, FRAME) == step


def test_session_gives_all_the_sound_that_a_frame_hears() -> None:
    """A click at the end of a frame's window is heard through the session's span."""
    frame = 3  # the last of its step
    needed = first_step(frame, FRAME) * HOP + (STEPS - 1) * HOP + WINDOW // 2

    given = (end_of_window(frame, FRAME) + engine.LOOK_AHEAD_TOKENS) * 320

    assert needed <= given < needed + 2 * 320


def test_names_and_shapes_are_those_of_the_official_file(reference: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = Wav2Lip256()

    names = [f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items()]
    assert sorted(names) == sorted(reference["names"].tolist())
    assert len(names) == 380
    assert sum(value.numel() for value in network.parameters()) == pytest.approx(53.6e6, rel=0.01)


@pytest.mark.long
def test_full_network_paints_what_the_reference_paints(reference: dict[str, Any]) -> None:
    network = Wav2Lip256()
    tiny.fill_by_formula(network)
    mel, faces = make_reference.inputs()

    with torch.inference_mode():
        painted = network.double().eval()(mel, faces).numpy()

    kept = painted[:, :, :: make_reference.STRIDE, :: make_reference.STRIDE]
    assert kept.std() > 0.01
    np.testing.assert_allclose(kept, reference["painted"], atol=1e-5)


if references.checkout_for(RECIPE):

    def test_committed_results_are_those_of_the_checkout() -> None:
        committed, made = references.kept(RECIPE), references.fresh(RECIPE)

        assert sorted(made["names"]) == sorted(committed["names"])
        for key in ("mel", "painted"):
            np.testing.assert_allclose(made[key], committed[key], atol=1e-5)


def test_faces_of_a_batch_do_not_touch_each_other() -> None:
    features = renderer().features(make_reference.sound(), 0, range(2))
    passes = Wav2LipPasses(small_network(), (1, 4))
    film = passes.keep(np.random.default_rng(1).integers(0, 255, (2, 256, 256, 3), np.uint8))

    together = passes.paint([film[0], film[1]], features)
    alone = passes.paint([film[1]], features[1:])

    assert together.shape == (2, 256, 256, 3)
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1
    assert np.abs(together[0].astype(int) - together[1]).max() > 10


def test_lower_half_is_seen_as_reference_and_sound_changes_the_face() -> None:
    made = renderer()
    loud, silent = (
        made.features(sound, 0, range(1))[0]
        for sound in (make_reference.sound(), np.zeros(8000, np.float32))
    )

    spoken, quiet = made.paint([0], [loud]), made.paint([0], [silent])

    assert np.abs(spoken.astype(int) - quiet).max() > 3


def official_file(path: Path, prefix: str = "module.", **changes: Any) -> Path:
    """A checkpoint in the official form with made-up weights of the small network."""
    state = {f"{prefix}{name}": value for name, value in small_network().state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {**state, **changes}, "global_step": 7}, path)
    return path


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_weights_load_strictly_under_either_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setattr(
        "inference.engines.face.wav2lip.renderer.Wav2Lip256", lambda: Wav2Lip256(tiny.NARROWER)
    )
    official_file(tmp_path / "wav2lip.pth", prefix)

    network = load_network(WeightsFolder(tmp_path))

    assert not network.training
    expected = small_network().state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "weights_missing"),
        ({"state_dict": {}}, "weights_wrong"),
        ({"state_dict": {"module.a": torch.zeros(2)}}, "weights_wrong"),
        ({"state_dict": {"module.a": "text"}}, "weights_wrong"),
    ],
)
def test_weights_that_are_not_there_or_not_right_are_refused(
    tmp_path: Path, content: Any, code: str
) -> None:
    if content is not None:
        torch.save(content, tmp_path / "wav2lip.pth")

    with pytest.raises(WeightsError) as refused:
        load_network(WeightsFolder(tmp_path))

    assert refused.value.code == code
    if content is None:
        assert "commercial" in refused.value.message


def built(folder: Path, count: int = 6) -> Path:
    """A bundle of the drawn presenter's film."""
    folder.mkdir()
    image = drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH]
    pictures = np.stack([np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))] * count)
    (folder / "frames.i420").write_bytes(pictures.tobytes())
    points = folder / "points.json"
    points.write_text(json.dumps(drawn.landmarks((WIDTH, HEIGHT), drawn.points() - [LEFT, 0])))
    footage = Footage(pictures, 25, points)
    build_bundle(folder, footage, "wav2lip256_tiny", {}, {}, lambda *told: None)
    points.unlink()
    return folder


def test_film_becomes_a_presenter_whose_mouth_is_painted_while_it_speaks(tmp_path: Path) -> None:
    folder = built(tmp_path / "bundle")
    bundle = open_bundle(folder, verify_hashes=True)
    assert bundle.faces.shape == (6, 256, 256, 3)
    with pytest.raises(BundleError):
        _ = bundle.latents
    setup = FaceSetup(
        WIDTH, HEIGHT, FRAME, "full", "studio",
        {"bundle": str(folder), "weights": "none", "version": "v1.5"}, str(tmp_path / "cache"),
    )  # fmt: skip
    made = tiny.create_engine(setup)
    silent, spoken = (np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2))
    sound = (8000 * np.sin(np.arange(48_000) * 0.03)).astype(np.int16)
    made.render(10 * FRAME, 0, silent)

    made.start_speech(FaceSpeech("u", 0, 0, len(sound), (), (), samples=sound))
    made.render(10 * FRAME, 0, spoken)

    changed = np.argwhere(silent[:HEIGHT] != spoken[:HEIGHT])
    x0, y0, x1, y1 = bundle.film.rois[0].tolist()
    assert len(changed) > 500
    assert changed[:, 0].min() >= y0 - 4
    assert changed[:, 0].max() < y1 + 4
    assert changed[:, 1].min() >= x0 - 4
    assert changed[:, 1].max() < x1 + 4
    made.close()


def test_bundle_of_another_engine_is_refused(tmp_path: Path) -> None:
    films.write_bundle(tmp_path / "bundle")
    setup = FaceSetup(160, 120, FRAME, "full", "studio",
                      {"bundle": str(tmp_path / "bundle")}, str(tmp_path))  # fmt: skip

    for create in (tiny.create_engine, engine.create_engine):
        with pytest.raises(EngineError, match="built for musetalk_tiny"):
            create(setup)


def test_missing_weights_are_named_when_a_show_would_begin(tmp_path: Path) -> None:
    folder = built(tmp_path / "bundle", count=2)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["engine"] = "wav2lip256"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    settings = {"bundle": str(folder), "weights": str(tmp_path / "weights")}
    setup = FaceSetup(160, 120, FRAME, "full", "studio", settings, str(tmp_path / "cache"))

    with pytest.raises(WeightsError, match=r"wav2lip256\.pth"):
        engine.create_engine(setup)


def test_small_network_is_for_tests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ENGINES")

    with pytest.raises(EngineError, match="TEST_ENGINES"):
        tiny.make_network()
