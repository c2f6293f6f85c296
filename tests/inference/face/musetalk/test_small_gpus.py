"""A device with little memory paints in passes of the sizes that it has room for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from inference.engines.face.musetalk import local
from inference.engines.face.musetalk.batches import FaceBatches
from inference.engines.face.musetalk.local import LocalRenderer
from inference.engines.face.musetalk.networks import Networks
from inference.engines.face.musetalk.tiny import FACE_PX, LATENT_PX, make_networks
from inference.gpu.musetalk import MuseTalkPainter


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Networks:
    monkeypatch.setenv("TEST_ENGINES", "1")
    return make_networks()


def have_room_for(networks: Networks, monkeypatch: pytest.MonkeyPatch, faces: int) -> None:
    """PyTorch's own error beyond so many, as CUDA's allocator raises it."""
    paint = networks.painter.paint_on_device

    def limited(given: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        if len(given) > faces:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return paint(given, prompts)

    monkeypatch.setattr(networks.painter, "paint_on_device", limited)


def film(frames: int = 6) -> Any:
    values = np.random.default_rng(3).normal(size=(frames, 8, LATENT_PX, LATENT_PX))
    return values.astype(np.float16)


def test_server_offers_the_passes_that_its_device_has_room_for(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_room_for(networks, monkeypatch, 2)
    painter = MuseTalkPainter(networks, FACE_PX, (1, 2, 4, 8), None)

    faces, sounds = painter.measure()

    assert [*faces] == [1, 2]
    assert [*sounds] == [1, 2]


def test_server_without_room_for_one_face_says_so(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_room_for(networks, monkeypatch, 0)

    with pytest.raises(torch.OutOfMemoryError):
        MuseTalkPainter(networks, FACE_PX, (1, 2), None).measure()


def test_sounds_have_their_own_limit(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = FaceBatches(networks, LATENT_PX, (1, 2, 4))
    encode = networks.features.encode_all

    def limited(sounds: Any) -> Any:
        if len(sounds) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return encode(sounds)

    monkeypatch.setattr(type(networks.features), "encode_all", lambda _, sounds: limited(sounds))

    assert [*batches.measure_sounds(rounds=1)] == [1]
    assert [*batches.measure_faces(rounds=1)] == [1, 2, 4]


def test_worker_of_its_own_asks_for_no_more_faces_at_once(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_BUCKETS", {"cpu": (1, 2, 4)})
    have_room_for(networks, monkeypatch, 2)
    renderer = LocalRenderer(networks, film(), 1920)

    renderer.warm_up()

    assert renderer.batch_frames == 2
