"""The weights of neural engines on this host, as a child process finds them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any, Final

from django.core.cache import cache

from avatars.bundles import current_build, weights_folder
from avatars.models import Avatar
from inference.catalog import get_engine
from inference.tool_client import ToolError, run_tool

_CACHE_KEY: Final = "avatars:weights"
# A page of presenters asks for each of them: one child answers all.
_CACHE_SECONDS: Final = 30
_looking = threading.Lock()

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AvatarWeights:
    """What the engine of an avatar loads. state: none (it loads nothing), ready, missing, unknown.

    message: why it is unknown. networks: [{name, needed_for, is_ready, licence, files}], of each
    the files of one complete choice, else of the choice of which most is there.
    """

    state: str
    message: str
    networks: list[Part]


def list_weights(*, timeout_seconds: float = 20.0) -> list[Part]:
    """Every network with its files, their state and licences. Raises ToolError.

    The first look at new files hashes gigabytes: `manage.py weights` gives it the time.
    """
    request = {"folder": str(weights_folder())}
    parts: list[Part] = json.loads(run_tool("weights", request, timeout_seconds=timeout_seconds))
    return parts


def licences_of(part: Part) -> str:
    """The licences of a network's files, each once."""
    return " / ".join(dict.fromkeys(file["licence"] for file in part["files"]))


def weights_of(avatar: Avatar) -> AvatarWeights:
    """Of the networks that prepare and show an avatar; half a minute old at most."""
    names = names_of_weights(avatar)
    if not names:
        return AvatarWeights("none", "", [])
    try:
        parts = {part["name"]: part for part in _recent_weights()}
    except ToolError as error:
        return AvatarWeights("unknown", error.message, [])
    networks = [_network(parts[name]) for name in names if name in parts]
    is_ready = all(network["is_ready"] for network in networks)
    return AvatarWeights("ready" if is_ready else "missing", "", networks)


def names_of_weights(avatar: Avatar) -> list[str]:
    """The networks by their names in the list of weights; none for engines that draw."""
    try:
        entry = get_engine("face", avatar.engine)
    except LookupError:
        return []  # an engine that an older release had
    build = current_build(avatar) if entry.weights else None
    chosen = dict(avatar.settings)
    if build is not None:
        version = build.facts.get("version", "v1.5")
        chosen |= {"version": version, "mask": build.options.get("mask")}
    return [item.name for item in entry.weights if item.is_needed(chosen)]


def _recent_weights() -> list[Part]:
    """As `list_weights`; those who ask at the same time wait for one answer."""
    parts: list[Part] | None = cache.get(_CACHE_KEY)
    if parts is not None:
        return parts
    with _looking:
        parts = cache.get(_CACHE_KEY)
        if parts is None:
            parts = list_weights()
            cache.set(_CACHE_KEY, parts, _CACHE_SECONDS)
    return parts


def _network(part: Part) -> Part:
    files = {file["path"]: file for file in part["files"]}
    choices = [[files[path] for path in choice] for choice in part["choices"]]
    nearest = min(choices, key=_count_absent)
    return {
        "name": part["name"],
        "needed_for": part["needed_for"],
        "is_ready": part["ready"],
        "licence": licences_of({"files": nearest}),
        "files": [_file(file) for file in nearest],
    }


def _count_absent(files: list[Part]) -> int:
    return sum(file["state"] != "present" for file in files)


def _file(file: Part) -> Part:
    kept = {name: file[name] for name in ("path", "source", "licence", "size_bytes")}
    return {**kept, "state": file["state"].replace(" ", "_")}
