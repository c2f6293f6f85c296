"""The model servers of this host as the web side knows them: which there are, and what they say.

`MODEL_SERVERS` lists them as device/engine/version/decoder, or device/engine where that engine has
one network only; each writes its state beside its socket
(`inference.gpu`). Nothing here imports what they run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from inference.catalog import ENGINES

ALLOWED: Final = (
    "device/engine/version/decoder, such as cuda:0/musetalk/v1.5/kl, or cuda:0/wav2lip256, which "
    "has no versions; comma-separated; device is auto, cpu, cuda or cuda:N"
)
# A server writes every second; a pass of its device may take a while.
SILENT_SECONDS: Final = 10.0
# Loading writes once: gigabytes from a slow disk.
LOADING_SECONDS: Final = 900.0
_DEVICE: Final = re.compile(r"auto|cpu|cuda(:\d{1,2})?")
# CUDA leaves out what is listed from the first number on that does not exist.
_NO_GPU: Final = "-1"
# Version and decoder of an engine that has one network only.
_ONLY: Final = "-"
_VERSIONS: Final = ("v1.5", "v1")
_DECODERS: Final = ("kl", "tiny")
_USUAL_RATE: Final = 25.0
# Of a device, given to broadcasts: the rest is for passes that take longer than usual, and for
# faces that are painted twice.
FULL_LOAD: Final = 0.85


@dataclass(frozen=True, slots=True)
class ModelServer:
    """One process. number: its place in the setting; folder: where its socket and state lie."""

    number: int
    device: str
    engine: str
    version: str
    decoder: str
    folder: Path

    @property
    def name(self) -> str:
        return f"gpu-{self.number}"

    @property
    def networks(self) -> str:
        """Which it runs, in words."""
        return name_networks(self.engine, self.version, self.decoder)

    @property
    def socket(self) -> Path:
        return self.folder / f"{self.number}.sock"

    def command(self, weights: Path, life_fd: int | None = None) -> list[str]:
        """What starts it."""
        device = "cuda" if self.device.startswith("cuda") else self.device
        life = [] if life_fd is None else ["--life-fd", str(life_fd)]
        return [
            sys.executable, "-m", "inference.gpu", "--socket", str(self.socket),
            "--weights", str(weights), "--engine", self.engine, "--version", self.version,
            "--decoder", self.decoder, "--device", device, *life,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Its process sees one GPU alone, which is then `cuda`.

        Where CUDA_VISIBLE_DEVICES leaves us some GPUs only, they are counted, as CUDA itself does.
        """
        _, _, index = self.device.partition(":")
        if not index:
            return {}
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        if visible != [""]:
            index = visible[int(index)] if int(index) < len(visible) else _NO_GPU
        return {"CUDA_VISIBLE_DEVICES": index}


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server says. state: ready, loading, failed, or away when nothing is heard of it.

    load: busy share of the device, 0 … 1. room, fits: broadcasts of 25 pictures a second, more of
    which fit, and that it carries at all. frame_ms: of one face in a pass.
    """

    server: ModelServer
    state: str
    message: str = ""
    device: str = ""
    load: float = 0.0
    on_air: int = 0
    fits: int = 0
    room: int = 0
    frame_ms: float = 0.0
    late: int = 0
    load_each: float = 0.0
    free: float = 0.0

    @property
    def device_name(self) -> str:
        """As the server names it; as the setting does until it has said so."""
        return self.device or (
            "the processor" if self.server.device == "cpu" else self.server.device
        )

    @property
    def load_percent(self) -> int:
        return round(self.load * 100)


def is_model_server(text: str) -> bool:
    """Whether an item of the setting is one."""
    device, *parts = text.split("/")
    if not parts or not _DEVICE.fullmatch(device) or not is_served(parts[0]):
        return False
    if _has_one_network(parts[0]):
        return len(parts) == 1
    return len(parts) == 3 and parts[1] in _VERSIONS and parts[2] in _DECODERS


def is_served(engine: str) -> bool:
    """Whether a model server can paint for this face engine."""
    return any(e.kind == "face" and e.name == engine and e.is_served for e in ENGINES)


def networks_of(engine: str, version: str, decoder: str) -> tuple[str, str]:
    """Version and decoder by which servers are told apart, from a presenter's settings."""
    return (_ONLY, _ONLY) if _has_one_network(engine) else (version, decoder)


def name_networks(engine: str, version: str, decoder: str) -> str:
    """Which networks, in words."""
    return engine if version == _ONLY else f"{engine} {version} with the decoder {decoder}"


def list_servers(items: tuple[str, ...] | list[str], data_dir: Path) -> list[ModelServer]:
    """The servers that the setting lists."""
    folder = Path(data_dir) / "gpu"
    return [_server_of(number, item, folder) for number, item in enumerate(items)]


def read_state(server: ModelServer) -> ServerState:
    """What a server has written last."""
    try:
        said = json.loads(server.socket.with_suffix(".json").read_text(encoding="utf-8"))
        age_seconds = time.time() - float(said["at"])
        state = str(said["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return ServerState(server, "away")
    limit = SILENT_SECONDS if state == "ready" else LOADING_SECONDS
    if not -SILENT_SECONDS < age_seconds < limit or not _is_running(said.get("pid")):
        return ServerState(server, "away")
    if state != "ready":
        return ServerState(server, state, str(said.get("message", "")))
    return _ready(server, said)


def obstacle(
    servers: list[ModelServer], engine: str, version: str, decoder: str, frame_rate: float
) -> str | None:
    """Why no server takes another broadcast of a presenter, in words for a host; None = one does.

    A server that is away or loading is no obstacle: the show begins with its idle picture.
    """
    networks = (engine, *networks_of(engine, version, decoder))
    fitting = [s for s in servers if (s.engine, s.version, s.decoder) == networks]
    if not fitting:
        named = name_networks(*networks)
        return f"No model server runs {named}; the operator lists them in MODEL_SERVERS."
    states = [read_state(server) for server in fitting]
    reasons = [_reason(state, frame_rate) for state in states]
    return None if None in reasons else reasons[0]


def refusal(device: str, frame_rate: float, fits: int, on_air: int, load: float) -> str:
    """Why a broadcast does not fit on a device, and what a host can do.

    fits: how many of its kind the device carries. load: its share of the device.
    """
    device = device[:1].upper() + device[1:]
    if not fits:
        return (
            f"{device} is too slow for this presenter at {frame_rate:.3g} pictures a second: it "
            f"manages about {FULL_LOAD / load * frame_rate:.2g}. Choose a profile with fewer, the "
            "decoder `tiny`, or a presenter that needs no GPU."
        )
    return (
        f"{device} is full: it carries {fits} broadcasts of {frame_rate:.3g} pictures a second, "
        f"and {on_air} are on air. End one of them, or choose a presenter that needs no GPU."
    )


def _has_one_network(engine: str) -> bool:
    return any(e.kind == "face" and e.name == engine and e.has_one_network for e in ENGINES)


def _reason(state: ServerState, frame_rate: float) -> str | None:
    if state.state == "failed":
        return f"The model server cannot load its networks: {state.message}"
    if state.state != "ready":
        return None
    load = state.load_each * frame_rate / _USUAL_RATE
    if load <= state.free:
        return None
    fits = int((state.free + state.on_air * load) / load)
    return refusal(state.device, frame_rate, fits, state.on_air, load)


def _server_of(number: int, item: str, folder: Path) -> ModelServer:
    device, engine, *networks = item.split("/")
    version, decoder = networks or (_ONLY, _ONLY)
    return ModelServer(number, device, engine, version, decoder, folder)


def _ready(server: ModelServer, said: Mapping[str, Any]) -> ServerState:
    try:
        return ServerState(
            server,
            "ready",
            device=str(said["device"]),
            load=float(said["load"]),
            on_air=int(said["on_air"]),
            fits=int(said["fits"]),
            room=int(said["room"]),
            frame_ms=float(said["frame_ms"]),
            late=int(said["late"]),
            load_each=float(said["load_each"]),
            free=float(said["free"]),
        )
    except (KeyError, TypeError, ValueError):
        return ServerState(server, "away")


def _is_running(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except (TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
