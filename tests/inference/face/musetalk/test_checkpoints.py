"""Every format and key name that the official files have, and all that can be wrong with them."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from whisper.model import AudioEncoder

from inference.engines.base import EngineError
from inference.engines.face.musetalk.checkpoints import read_state
from inference.engines.face.musetalk.networks import NetworkLoader
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.face.musetalk.weights import PARTS
from inference.engines.weights import WeightsError, WeightsFolder
from tests.inference.face.musetalk import tiny


def loader(folder: Path, **settings: Any) -> NetworkLoader:
    chosen = MuseTalkSettings(device="cpu", **settings)
    return NetworkLoader(WeightsFolder(folder), chosen, tiny.unpublished())


def same(network: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    loaded = network.state_dict()
    return loaded.keys() == state.keys() and all(torch.equal(loaded[k], state[k]) for k in state)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("version", "name"), [("v1", "musetalk/pytorch_model.bin"), ("v1.5", "musetalkV15/unet.pth")]
)
def test_unet_loads_from_its_official_file(
    tmp_path: Path, version: Any, name: str, prefix: str
) -> None:
    tiny.write_unet(tmp_path, name, prefix)

    unet = loader(tmp_path, version=version).load_unet()

    assert same(unet, tiny.unet_state())
    assert not unet.training


def test_unet_of_before_pytorch_16_loads(tmp_path: Path) -> None:
    path = tiny.write_unet(tmp_path)
    torch.save(tiny.unet_state(), path, _use_new_zipfile_serialization=False)

    assert same(loader(tmp_path).load_unet(), tiny.unet_state())


@pytest.mark.parametrize("folder", ["sd-vae", "sd-vae-ft-mse"])
@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_vae_loads_with_old_and_new_attention_names(
    tmp_path: Path, folder: str, suffix: str
) -> None:
    path = tiny.write_vae(tmp_path, f"{folder}/diffusion_pytorch_model.{suffix}")
    if suffix == "bin":
        assert any(".query." in name for name in torch.load(path))

    vae = loader(tmp_path)._load_vae()

    assert same(vae, tiny.vae_state())
    assert vae.config.scaling_factor == 0.18215


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("whisper/pytorch_model.bin", "model."),
        ("whisper/pytorch_model.bin", ""),
        ("whisper/model.safetensors", "model."),
        ("whisper/tiny.pt", ""),
    ],
)
def test_whisper_loads_from_each_official_file(tmp_path: Path, name: str, prefix: str) -> None:
    tiny.write_whisper(tmp_path, name, prefix)

    features = loader(tmp_path).load_features()

    assert same(features._encoder, tiny.whisper_state())
    assert (features.layers, features.width) == (5, tiny.WIDTH)


@pytest.mark.parametrize("in_diffusers_names", [False, True])
def test_taesd_loads_with_its_authors_and_with_diffusers_names(
    tmp_path: Path, in_diffusers_names: bool
) -> None:
    tiny.write_taesd(tmp_path, in_diffusers_names=in_diffusers_names)
    latents = torch.linspace(-1, 1, 4 * 64).reshape(1, 4, 8, 8)

    pictures = loader(tmp_path, decoder="tiny").load_decoder().decode(latents)

    assert pictures.shape == (1, 64, 64, 3)
    assert pictures.float().std() > 1


def test_missing_file_is_named_with_source_licence_and_place(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        NetworkLoader(WeightsFolder(tmp_path), MuseTalkSettings(device="cpu")).load()

    said = caught.value.message
    assert caught.value.code == "weights_missing"
    assert not caught.value.retryable
    assert "Put into `weights/` in the data folder" in said
    assert "musetalkV15/unet.pth (https://huggingface.co/TMElyralab/MuseTalk/" in said
    assert str(tmp_path) not in said
    assert "https://huggingface.co/TMElyralab/MuseTalk/" in said
    assert "OpenRAIL" in said


def test_file_with_another_hash_than_published_is_refused(tmp_path: Path) -> None:
    tiny.write_unet(tmp_path)

    with pytest.raises(WeightsError, match="is not the expected file") as caught:
        NetworkLoader(WeightsFolder(tmp_path), MuseTalkSettings(device="cpu"), PARTS).load_unet()

    assert "5b6923aee04d71692e0e9846c471e0a4" in caught.value.message


def _without_a_key(path: Path) -> None:
    state = tiny.unet_state()
    del state["conv_in.weight"]
    torch.save(state, path)


def _with_a_key_too_many(path: Path) -> None:
    torch.save(tiny.unet_state() | {"extra.weight": torch.ones(1)}, path)


def _with_another_shape(path: Path) -> None:
    torch.save(tiny.unet_state() | {"conv_out.bias": torch.ones(5)}, path)


class _Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


def _with_code(path: Path) -> None:
    torch.save({"conv_in.weight": _Trap()}, path)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _of_something_else(path: Path) -> None:
    path.write_bytes(b"<html>Access denied</html>")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        _without_a_key,
        _with_a_key_too_many,
        _with_another_shape,
        _with_code,
        _cut_off,
        _of_something_else,
        _empty,
    ],
)
def test_damaged_file_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tiny.write_unet(tmp_path)
    damage(path)

    with pytest.raises(WeightsError, match="unet.pth") as caught:
        loader(tmp_path).load_unet()

    assert caught.value.code == "weights_wrong"
    assert not (tmp_path / "trapped").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # where that byte is wrong
@pytest.mark.parametrize("kind", ["new.pth", "old.pth", "new.safetensors"])
def test_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    """Never another error: a worker that ends with a traceback tells the host nothing."""
    path, state = tmp_path / kind, {f"a.{i}": torch.ones(3, 4) for i in range(4)}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "new.pth")
    whole, chance, refused = path.read_bytes(), random.Random(1), 0

    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(len(whole) // 2, len(whole) + 1)])
        try:
            read_state(path)
        except WeightsError:
            refused += 1

    assert refused > 100


@pytest.mark.parametrize("content", [{}, {"dims": {}}, {"dims": {"n_audio_state": "wide"}}])
def test_whisper_that_does_not_say_its_size_is_refused(tmp_path: Path, content: Any) -> None:
    path = tiny.write_whisper(tmp_path, "whisper/tiny.pt")
    torch.save({"model_state_dict": {}} | content, path)

    with pytest.raises(WeightsError, match="tiny.pt cannot be read.*how large"):
        loader(tmp_path).load_features()


@pytest.mark.parametrize("text", ["", "[]", "not json", json.dumps(tiny.UNET | {"in_channels": 4})])
def test_wrong_config_is_refused_by_name(tmp_path: Path, text: str) -> None:
    tiny.write_unet(tmp_path)
    (tmp_path / "musetalkV15/musetalk.json").write_text(text)

    with pytest.raises(WeightsError, match="musetalk.json"):
        loader(tmp_path).load_unet()


def test_whisper_of_another_size_is_refused(tmp_path: Path) -> None:
    tiny.write_unet(tmp_path)
    tiny.write_whisper(tmp_path)
    wider = tiny.UNET | {"cross_attention_dim": 24}
    (tmp_path / "musetalkV15/musetalk.json").write_text(json.dumps(wider))
    torch.save(UNet2DConditionModel(**wider).state_dict(), tmp_path / "musetalkV15/unet.pth")

    with pytest.raises(WeightsError, match="needs 5 layers of 24, this has 5 of 16"):
        loader(tmp_path).load()


def test_cuda_is_refused_where_there_is_none(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(EngineError, match="no CUDA GPU"):
        NetworkLoader(WeightsFolder(tmp_path), MuseTalkSettings(device="cuda"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"version": "v2"}, "version is 'v2'; allowed are v1.5, v1"),
        ({"precision": 16}, "precision is 16; allowed are auto, fp32, fp16, bf16"),
        ({"speed": 1}, "no setting 'speed'; it has version, decoder, device, precision"),
    ],
)
def test_bad_setting_is_refused_with_what_is_allowed(given: Any, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        MuseTalkSettings.from_json(given)


@pytest.mark.parametrize(
    ("given", "has_cuda", "expected"),
    [
        ({}, True, ("cuda", "fp16")),
        ({}, False, ("cpu", "fp32")),
        ({"device": "cpu", "precision": "bf16"}, True, ("cpu", "bf16")),
    ],
)
def test_auto_takes_the_gpu_in_fp16_where_there_is_one(
    given: Any, has_cuda: bool, expected: tuple[str, str]
) -> None:
    settings = MuseTalkSettings.from_json(given)

    device = settings.resolve_device(has_cuda=has_cuda)

    assert (device, settings.resolve_precision(device)) == expected


def test_networks_of_official_size_have_the_official_weights(tmp_path: Path) -> None:
    """What the small networks of these tests stand for: same kind, other widths."""
    unet = UNet2DConditionModel.from_config
    wide = tiny.UNET | {
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 384,
        "layers_per_block": 2,
        "norm_num_groups": 32,
    }
    deep = tiny.VAE | {
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "sample_size": 256,
    }

    with torch.device("meta"):
        networks = [unet(wide), AutoencoderKL.from_config(deep), AudioEncoder(80, 1500, 384, 6, 4)]

    assert [len(network.state_dict()) for network in networks] == [686, 248, 67]
    sizes = [sum(value.numel() for value in network.parameters()) for network in networks]
    assert sizes == [849_947_844, 83_653_863, 7_632_384]
