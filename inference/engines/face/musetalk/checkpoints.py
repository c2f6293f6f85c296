"""Read files of weights, in every format and under every key name that they are published with."""

from __future__ import annotations

import json
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from inference.engines.weights import WeightsError

State = dict[str, torch.Tensor]

# All that readers were seen to raise over files with wrong bytes.
_DAMAGE: Final = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)

# Names that diffusers gave the attention of autoencoders until 2022, as the official file has them.
_OLD_VAE_NAMES: Final = {
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}
_OLD_VAE_KEY: Final = re.compile(r"(.*\.mid_block\.attentions\.\d+)\.(query|key|value|proj_attn)\.")
# Hugging Face's names of Whisper's encoder → OpenAI's.
_WHISPER_NAMES: Final = (
    ("layers.", "blocks."),
    ("self_attn.q_proj.", "attn.query."),
    ("self_attn.k_proj.", "attn.key."),
    ("self_attn.v_proj.", "attn.value."),
    ("self_attn.out_proj.", "attn.out."),
    ("self_attn_layer_norm.", "attn_ln."),
    ("final_layer_norm.", "mlp_ln."),
    ("fc1.", "mlp.0."),
    ("fc2.", "mlp.2."),
    ("layer_norm.", "ln_post."),
    ("embed_positions.weight", "positional_embedding"),
)
# Arguments of AudioEncoder → what the files call them.
_HUGGING_FACE_DIMENSIONS: Final = {
    "n_mels": "num_mel_bins",
    "n_ctx": "max_source_positions",
    "n_state": "d_model",
    "n_head": "encoder_attention_heads",
    "n_layer": "encoder_layers",
}
_OPENAI_DIMENSIONS: Final = {
    "n_mels": "n_mels",
    "n_ctx": "n_audio_ctx",
    "n_state": "n_audio_state",
    "n_head": "n_audio_head",
    "n_layer": "n_audio_layer",
}


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises WeightsError."""
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(config, dict):
        raise unreadable(path, "it holds no JSON object")
    return config


def read_file(path: Path) -> dict[str, Any]:
    """What a .safetensors, .bin, .pth or .pt file holds, on the CPU. Raises WeightsError."""
    content = _read(path)
    if not isinstance(content, dict):
        raise unreadable(path, "it holds no weights")
    return content


def read_list(path: Path) -> list[torch.Tensor]:
    """The tensors of a list in a .pt file, on the CPU. Raises WeightsError."""
    content = _read(path)
    if not isinstance(content, list) or not all(isinstance(t, torch.Tensor) for t in content):
        raise unreadable(path, "it holds no list of tensors")
    return content


def _read(path: Path) -> Any:
    """Pickles are read with `weights_only=True`: code hidden in one is refused, not run."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        # Files of before PyTorch 1.6 are no zip archives and cannot be mapped.
        is_mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mapped)
    except OSError as error:
        raise unreadable(path, error) from error
    except _DAMAGE as error:
        # PyTorch's own message explains how to run what the file hides.
        raise unreadable(path, "it is damaged, or holds code beside its numbers") from error


def read_state(path: Path) -> State:
    """The tensors in `path` by name; a prefix `module.` of all names is dropped."""
    content = read_file(path)
    if not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise unreadable(path, "it holds something else than weights by name")
    return without_prefix(content, "module.")


def without_prefix(state: State, prefix: str) -> State:
    """`state` with `prefix` dropped from its names if all of them have it."""
    if not all(name.startswith(prefix) for name in state):
        return state
    return {name.removeprefix(prefix): value for name, value in state.items()}


def rename_vae(state: State) -> State:
    """Names of the autoencoder as diffusers has them today."""

    def rename(match: re.Match[str]) -> str:
        return f"{match[1]}.{_OLD_VAE_NAMES[match[2]]}."

    return {_OLD_VAE_KEY.sub(rename, name): value for name, value in state.items()}


def rename_taesd_decoder(state: State) -> State:
    """Names of a DecoderTiny. Its author counts the clamp in front as layer 0, diffusers not."""
    renamed = {}
    for name, value in state.items():
        layer, _, rest = name.removeprefix("decoder.layers.").partition(".")
        is_original = not name.startswith("decoder.layers.") and layer.isdigit()
        number = int(layer) - 1 if is_original else layer
        renamed[f"layers.{number}.{rest}"] = value
    return renamed


def whisper_encoder_state(content: Mapping[str, Any], path: Path) -> State:
    """The encoder's tensors under OpenAI's names, from OpenAI's or Hugging Face's file."""
    state = content.get("model_state_dict", content)
    if not isinstance(state, Mapping):
        raise unreadable(path, "it holds no weights")
    renamed = {}
    for name, value in state.items():
        encoder_name = name.removeprefix("model.").partition("encoder.")
        if encoder_name[0] == "" and encoder_name[1] and isinstance(value, torch.Tensor):
            renamed[_whisper_name(encoder_name[2])] = value
    if not renamed:
        raise unreadable(path, "it holds no Whisper encoder")
    return renamed


def whisper_dimensions(settings: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Arguments of AudioEncoder, from Hugging Face's config.json or OpenAI's `dims` in `path`."""
    names = _OPENAI_DIMENSIONS if "n_audio_state" in settings else _HUGGING_FACE_DIMENSIONS
    wanted = {ours: settings.get(theirs) for ours, theirs in names.items()}
    dimensions = {name: value for name, value in wanted.items() if isinstance(value, int)}
    if dimensions.keys() != wanted.keys() or min(dimensions.values()) < 1:
        raise unreadable(path, "it does not say how large Whisper's encoder is")
    return dimensions


def fill(network: torch.nn.Module, state: State, path: Path) -> None:
    """Give `network`, made on the device `meta`, its weights. WeightsError unless all fit."""
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        # PyTorch lists all of hundreds of names; the first lines say what is wrong.
        summary = " ".join(str(error).split())[:300]
        raise WeightsError(
            "weights_wrong", f"{_named(path)} does not fit the network it is for: {summary}"
        ) from error
    network.requires_grad_(requires_grad=False).eval()


def unreadable(path: Path, reason: object) -> WeightsError:
    """An error about a file that is there but is not what its name says."""
    said = " ".join(str(reason).split())[:200]
    return WeightsError("weights_wrong", f"{_named(path)} cannot be read as weights: {said}.")


def _named(path: Path) -> str:
    """A file as the list of weights names it: where the data folder lies is not for everybody."""
    return "/".join(path.parts[-2:])


def _whisper_name(name: str) -> str:
    for theirs, ours in _WHISPER_NAMES:
        name = _replace_component(name, theirs, ours)
    return name


def _replace_component(name: str, theirs: str, ours: str) -> str:
    """Only whole components: `layer_norm.` is not the end of `final_layer_norm.`."""
    if name.startswith(theirs):
        return ours + name.removeprefix(theirs)
    return name.replace(f".{theirs}", f".{ours}")
