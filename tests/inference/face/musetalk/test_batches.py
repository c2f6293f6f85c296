"""P11: whoever shares a pass, and however it is filled up, each face is the one painted alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.engines.base import EngineError
from inference.engines.face.musetalk import local, paste
from inference.engines.face.musetalk.batches import FaceBatches, Heard
from inference.engines.face.musetalk.local import LocalRenderer
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.tiny import FACE_PX, LATENT_PX, make_networks
from inference.engines.face.wav2lip import tiny as wav2lip
from inference.engines.face.wav2lip.renderer import Wav2LipRenderer
from inference.gpu.client import RemoteRenderer
from inference.gpu.painters import FilmForm, open_painter
from inference.gpu.painters import Networks as Named
from inference.media.picture import planes
from inference.model_servers import networks_of
from tests.inference.face.musetalk import films, tiny
from tests.inference.gpu import serving
from tests.inference.gpu.serving import Serving

STEP = range(8, 12)
TOKEN = 16


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    patch = pytest.MonkeyPatch()
    patch.setenv("TEST_ENGINES", "1")
    yield make_networks()
    patch.undo()


@pytest.fixture
def latents(tmp_path: Path) -> Any:
    return np.load(serving.write_latents(tmp_path, frames=6, side=LATENT_PX))


def test_faces_and_sounds_are_the_same_in_every_pass(networks: Networks, latents: Any) -> None:
    alone = LocalRenderer(networks, latents, 1920)
    sounds = [tiny.sound(), tiny.sound(0.7), np.zeros(48_000, np.float32)]
    features = [alone.features(sound, TOKEN, STEP) for sound in sounds]
    orders = [(index, features[index % 3][index % 4]) for index in range(5)]
    expected = np.concatenate([alone.paint([index], [prompt]) for index, prompt in orders])

    shared = FaceBatches(networks, LATENT_PX, (1, 2, 4, 8))
    film = shared.keep(latents)
    heard = shared.hear([Heard(sound, TOKEN, STEP, 1920) for sound in sounds])
    for order in (orders, orders[::-1], orders[:3]):
        made = shared.paint([film[index] for index, _ in order], [prompt for _, prompt in order])
        wanted = expected[[index for index, _ in order]]
        assert np.abs(made.astype(int) - wanted).max() <= 1
        assert (made != wanted).mean() < 1e-2
    for one, other in zip(heard, features, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_rows_above_the_first_shown_are_never_looked_at(networks: Networks, latents: Any) -> None:
    """All rows that a mask covers are brought back: the picture is the same without the rest."""
    film = films.small_film()
    first = paste.first_shown_row(film, FACE_PX)
    whole = LocalRenderer(networks, latents, 1920)
    lower = LocalRenderer(networks, latents, 1920, first)
    prompt = whole.features(tiny.sound(), TOKEN, STEP)[0]
    pictures = []
    for renderer in (whole, lower):
        out = film.frames[0].copy()
        paste.paste_face(film, 0, renderer.paint([0], [prompt])[0], planes(out))
        pictures.append(out)

    assert first > 0
    np.testing.assert_array_equal(*pictures)
    assert not np.array_equal(pictures[0], film.frames[0])


def test_passes_of_every_size_are_warm_before_a_show(
    networks: Networks, latents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU the first one of a size looks for the quickest kernels, which takes long."""
    monkeypatch.setattr(local, "_BUCKETS", {"cpu": (1, 2, 4)})
    paint, sizes = networks.painter.paint_on_device, set()

    def noted(given: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        sizes.add(len(given))
        return paint(given, prompts)

    monkeypatch.setattr(networks.painter, "paint_on_device", noted)

    LocalRenderer(networks, latents, 1920).warm_up()

    assert sizes == {1, 2, 4}


def test_face_of_nonsense_spoils_no_other(networks: Networks, latents: Any) -> None:
    """What a client sends for features are only numbers, but they may be none."""
    shared = FaceBatches(networks, LATENT_PX, (1, 2, 4))
    film = shared.keep(latents)
    prompt = shared.hear([Heard(tiny.sound(), TOKEN, STEP, 1920)])[0][0]
    nonsense = torch.full_like(prompt, float("nan"))

    made = shared.paint([film[0], film[1], film[2]], [prompt, nonsense, prompt])
    good = shared.paint([film[0], film[3], film[2]], [prompt, prompt, prompt])

    np.testing.assert_array_equal(made[[0, 2]], good[[0, 2]])


def test_processor_has_no_cuda_graphs_and_says_so(networks: Networks) -> None:
    with pytest.raises(EngineError, match="CUDA graphs need an NVIDIA GPU"):
        FaceBatches(networks, LATENT_PX, (1,), graphs=True)


def write_film(folder: Path, form: FilmForm) -> Path:
    """Six frames of noise, as the film of a presenter is for its networks."""
    random, path = np.random.default_rng(3), folder / "film.npy"
    if form.dtype == np.uint8:
        np.save(path, random.integers(0, 255, (6, *form.frame), np.uint8))
    else:
        np.save(path, random.normal(size=(6, *form.frame)).astype(form.dtype))
    return path


@pytest.mark.parametrize("engine", ["musetalk_tiny", "wav2lip256_tiny"])
def test_served_faces_are_those_of_local_mode(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """The whole way: sound and film frames in, over the shared memory, faces out."""
    monkeypatch.setenv("TEST_ENGINES", "1")
    serving.wait_long(monkeypatch)
    named = Named(engine, *networks_of(engine, "v1.5", "kl"))
    painter = open_painter(named, tmp_path, "cpu", 2, None)
    monkeypatch.setattr(painter, "measure", lambda: ({1: 0.01, 2: 0.01}, {1: 0.01, 2: 0.01}))
    site = Serving(tmp_path, painter, named)
    life, end = os.pipe()
    site.server.end_on(life)
    thread = threading.Thread(target=site.server.run)
    thread.start()
    film = np.load(write_film(tmp_path, painter.film))
    known = {"engine": engine, "version": named.version, "decoder": named.decoder}
    presenter = serving.presenter(tmp_path / "film.npy", frame_samples=48_000, **known)
    local: Any
    if engine == "musetalk_tiny":
        local = LocalRenderer(networks, film, 48_000)
    else:
        local = Wav2LipRenderer(wav2lip.make_network(), film, 48_000)
    remote = RemoteRenderer([site.path], presenter)

    seen = []
    for renderer in (remote, local):
        heard = renderer.features(tiny.sound(), 0, range(4))
        faces = renderer.paint([0, 3, 5], [heard[0], heard[1], heard[3]])
        seen.append([getattr(face, "wait", lambda face=face: face)() for face in faces])

    remote.close()
    os.close(end)
    thread.join(serving.DEADLINE_SECONDS)
    site.close()
    os.close(life)
    for served, own in zip(*seen, strict=True):
        difference = np.abs(served.astype(int) - own)
        # Wav2Lip's weights by formula make roundings of a pass of two visible here and there.
        assert difference.max() <= (1 if engine == "musetalk_tiny" else 8)
        assert (difference > 1).mean() < 1e-3
        assert own.std() > 1
    assert np.abs(seen[1][0].astype(int) - seen[1][1]).max() > 10
