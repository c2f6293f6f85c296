"""What this machine can do for LiveStudio, found out by doing it, and what to do about each gap."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal
from urllib.error import URLError

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError
from redis import RedisError

from avatars.bundles import present_servers
from inference.catalog import ENGINES
from inference.model_servers import ServerState, read_state
from inference.tool_client import ToolError, run_tool
from livestudio.common.vault import key_id
from livestudio.common.vault_rotation import missing_keys
from voices.models import Voice

Level = Literal["ok", "note", "stop"]

_MIB: Final = 1024 * 1024
# One broadcast records about 1 GiB an hour at 2 Mbps.
DISK_NEEDED_MIB: Final = 500
_DISK_WANTED_MIB: Final = 5000
_MEMORY_WANTED_MIB: Final = 2000
_CORES_WANTED: Final = 2
_SAMPLES: Final = {"zh-CN": "大家好。", "en-US": "Hello."}
_HTTP_TIMEOUT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """level: ok · note = something is missing that the demo does without · stop = it cannot run.

    advice: what to do about it; empty for ok.
    """

    part: str
    level: Level
    text: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Every finding, one after the other; a part that breaks is a finding too."""
    for part, check in CHECKS.items():
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - the doctor must outlive what it looks at
            yield Finding(part, "note", f"could not be examined: {error}")


def check_python() -> Iterator[Finding]:
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("python", "ok", text)


def check_machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    memory_mib = _available_memory_mib()
    text = f"{cores} cores, {memory_mib} MiB of memory free"
    if cores >= _CORES_WANTED and memory_mib >= _MEMORY_WANTED_MIB:
        yield Finding("machine", "ok", text)
    else:
        yield Finding("machine", "note", text, "Choose a small profile, such as `mobile`.")


def check_engines() -> Iterator[Finding]:
    for entry in ENGINES:
        if entry.test_only and not settings.TEST_ENGINES:
            continue
        name = f"{entry.kind} engine {entry.name}"
        module = entry.factory.partition(":")[0]
        if not _is_there(module):
            yield Finding(name, "stop", f"{module} is missing", "Install LiveStudio again.")
        elif entry.gpu_memory_mib:
            yield _neural_finding(name, entry.gpu_memory_mib)
        else:
            yield Finding(name, "ok", f"{entry.label_en}, runs on the processor")


def _neural_finding(name: str, memory_mib: int) -> Finding:
    """Whether this machine can run networks; their files are listed by `manage.py weights`."""
    text = f"needs a GPU with {memory_mib} MiB"
    if not _gpus():
        advice = "Shows with a drawn presenter or one of a photo need none."
        return Finding(name, "note", f"{text}, and none was found", advice)
    if not _is_there("torch"):
        advice = ".venv/bin/pip install -r requirements/neural.txt -c requirements/lock.txt"
        return Finding(name, "note", f"{text}, and PyTorch, which is missing", advice)
    return Finding(name, "ok", f"{text}; `manage.py weights` lists the files that it needs")


def check_voices() -> Iterator[Finding]:
    advice = "Run `make demo` again: it installs espeakng-loader, the library of this voice."
    for language, text in _SAMPLES.items():
        for gender in ("female", "male"):
            request = {
                "engine": "espeak",
                "language": language,
                "settings": {"gender": gender},
                "text": text,
            }
            yield _try_tool(f"voice {language} {gender}", "preview", request, advice, "spoke")


def check_presenter() -> Iterator[Finding]:
    settings.CACHE_DIR.mkdir(parents=True, exist_ok=True)
    request = {
        "engine": "puppet",
        "settings": {"character": "lin"},
        "cache_folder": str(settings.CACHE_DIR),
    }
    advice = "Run `make demo` again: it installs the drawing libraries."
    yield _try_tool("presenter Lin", "avatar-preview", request, advice, "drawn")


def check_font() -> Iterator[Finding]:
    try:
        path = json.loads(run_tool("font", {}))["path"]
    except ToolError as error:
        advice = "pip install noto-cjk-sans-otc, or install a Noto Sans CJK font."
        yield Finding("caption font", "stop", error.message, advice)
        return
    yield Finding("caption font", "ok", Path(path).name)


def check_encoders() -> Iterator[Finding]:
    try:
        found: dict[str, str] = json.loads(run_tool("encoders", {}))
    except ToolError as error:
        yield Finding("encoders", "stop", error.message, "pip install --force-reinstall av")
        return
    yield _on_gpu(found.pop("h264_nvenc"))
    for name, text in found.items():
        is_ok = text == "ok"
        advice = "" if is_ok else "pip install --force-reinstall av: its wheel brings the encoders."
        yield Finding(f"encoder {name}", "ok" if is_ok else "stop", text, advice)


def _on_gpu(text: str) -> Finding:
    """x264 does the same: without a GPU nothing is missing unless it was asked for."""
    if settings.VIDEO_ENCODER == "x264":
        return Finding("encoder h264_nvenc", "ok", "not asked for (VIDEO_ENCODER=x264)")
    if text == "ok":
        return Finding("encoder h264_nvenc", "ok", "encodes the pictures on the GPU")
    told = f"{text}; x264 encodes the pictures"
    if settings.VIDEO_ENCODER == "auto":
        return Finding("encoder h264_nvenc", "ok", told)
    advice = "Install NVIDIA's driver (in a container: its capability `video`), or set `auto`."
    return Finding("encoder h264_nvenc", "note", told, advice)


def check_port() -> Iterator[Finding]:
    where = f"{settings.HOST}:{settings.PORT}"
    try:
        with socket.create_server((settings.HOST, settings.PORT), family=_family(settings.HOST)):
            yield Finding("port", "ok", f"{where} is free")
            return
    except OSError as error:
        reason = error.strerror or str(error)
    if _is_livestudio_running():
        yield Finding("port", "ok", f"{where} is used by a running LiveStudio")
    else:
        advice = "Set PORT to a free one, such as PORT=8001."
        yield Finding("port", "stop", f"{where} cannot be used: {reason}", advice)


def check_ice() -> Iterator[Finding]:
    hosts = settings.ICE_HOST_ADDRESSES or ("127.0.0.1",)
    for host in hosts:
        yield _try_udp(host)
    if settings.ICE_PUBLIC_ADDRESS or settings.ICE_SERVERS or settings.ICE_HOST_ADDRESSES:
        yield Finding("viewers elsewhere", "ok", "an address or an ICE server is set")
    else:
        yield Finding(
            "viewers elsewhere",
            "note",
            "no public address and no ICE server is set",
            "For viewers behind other routers set ICE_PUBLIC_ADDRESS or ICE_SERVERS.",
        )


def check_gpu() -> Iterator[Finding]:
    names = _gpus()
    yield from (Finding("gpu", "ok", name) for name in names)
    if not names:
        advice = "Not needed: the built-in presenter needs no GPU."
        yield Finding("gpu", "note", "none found", advice)


def _gpus() -> tuple[str, ...]:
    """What the driver says of each GPU; nothing where there is no driver."""
    program = shutil.which("nvidia-smi")
    return _ask_driver(program) if program is not None else ()


@cache
def _ask_driver(program: str) -> tuple[str, ...]:
    """Once in a process: a driver that has to wake its GPUs takes seconds."""
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    return tuple(done.stdout.strip().splitlines()) if done.returncode == 0 else ()


def check_model_servers() -> Iterator[Finding]:
    """What `manage.py up`, or a service manager, keeps running for filmed presenters."""
    servers = present_servers()
    if not servers:
        text = "each filmed presenter has its own networks (FACE_NETWORKS=local)"
        yield Finding("model server", "ok", text)
    for server in servers:
        yield _model_server_finding(read_state(server))


def check_disk() -> Iterator[Finding]:
    free_mib = shutil.disk_usage(settings.DATA_DIR).free // _MIB
    text = f"{free_mib} MiB free in {settings.DATA_DIR}"
    advice = "Free some space, or set DATA_DIR to another disk."
    if free_mib < DISK_NEEDED_MIB:
        yield Finding("disk", "stop", text, advice)
    elif free_mib < _DISK_WANTED_MIB:
        yield Finding("disk", "note", f"{text}: recordings fill it within hours", advice)
    else:
        yield Finding("disk", "ok", text)


def check_database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        text = f"cannot be reached: {error}"
        yield Finding("database", "stop", text, "Look at DATABASE_URL and at the server.")
        return
    version = ".".join(map(str, connection.get_database_version()))
    yield Finding("database", "ok", f"{connection.display_name} {version}")
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        advice = "manage.py migrate (make demo and manage.py up do it)."
        yield Finding("migrations", "note", f"{missing} are not applied", advice)
    else:
        yield Finding("migrations", "ok", "all applied")


def check_vault() -> Iterator[Finding]:
    missing = missing_keys()
    for key, number in sorted(missing.items()):
        text = f"{number} secrets need the key {key}, which is not in FIELD_KEYS"
        yield Finding("vault", "stop", text, "Put that key back, or paste these secrets again.")
    if not missing:
        names = ", ".join(key_id(key) for key in settings.FIELD_KEYS)
        yield Finding("vault", "ok", f"every secret has its key ({names})")


def check_better_voices() -> Iterator[Finding]:
    """Whether any voice sounds better than the built-in ones; nothing before there is a table."""
    try:
        has_better = Voice.objects.exclude(engine__in=("espeak", "testtone")).exists()
    except DatabaseError:
        return
    if has_better:
        yield Finding("better voices", "ok", "there are more than the built-in basic ones")
        return
    text = "none: the built-in ones are clear, but they sound like a machine"
    advice = (
        "For the air, add a voice of the engine edge (online, no key) or openai_speech in the "
        "admin, with a built-in one as its fallback (docs/engines.md)."
    )
    yield Finding("better voices", "note", text, advice)


def check_redis() -> Iterator[Finding]:
    if not settings.REDIS_URL:
        yield Finding("redis", "ok", "not configured, not needed on one machine")
        return
    layer: Any = get_channel_layer()
    try:
        async_to_sync(layer.group_send)("doctor", {"type": "doctor.probe"})
    except (OSError, RedisError) as error:
        text = f"cannot be reached: {error}"
        yield Finding("redis", "stop", text, "Look at REDIS_URL and at the server.")
        return
    yield Finding("redis", "ok", "answers")


def check_frontend() -> Iterator[Finding]:
    if (settings.FRONTEND_DIST / "index.html").is_file():
        yield Finding("studio", "ok", "built")
    else:
        advice = "make demo builds it; by hand: cd frontend && npm ci && npm run build."
        yield Finding("studio", "note", "not built: /studio/ and /watch/ answer 503", advice)


CHECKS: Final[dict[str, Callable[[], Iterator[Finding]]]] = {
    "python": check_python,
    "machine": check_machine,
    "engines": check_engines,
    "voices": check_voices,
    "presenter": check_presenter,
    "caption font": check_font,
    "encoders": check_encoders,
    "port": check_port,
    "ice": check_ice,
    "gpu": check_gpu,
    "model server": check_model_servers,
    "disk": check_disk,
    "database": check_database,
    "vault": check_vault,
    "better voices": check_better_voices,
    "redis": check_redis,
    "studio": check_frontend,
}


def _available_memory_mib() -> int:
    # Free memory alone leaves out what the kernel uses as cache and gives back when asked.
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def _is_there(module: str) -> bool:
    try:
        # Looks without loading: engines belong in worker processes.
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _try_tool(part: str, tool: str, request: dict[str, Any], advice: str, did: str) -> Finding:
    begin = time.monotonic()
    try:
        answer = run_tool(tool, request, timeout_seconds=60)
    except ToolError as error:
        return Finding(part, "stop", error.message, advice)
    took_ms = round((time.monotonic() - begin) * 1000)
    return Finding(part, "ok", f"{did}: {len(answer) // 1024} kB in {took_ms} ms")


def _try_udp(host: str) -> Finding:
    first, last = settings.ICE_UDP_PORTS
    part = f"webrtc on {host}"
    for port in range(first, last + 1):
        try:
            with socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
                probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            continue
        return Finding(part, "ok", "a UDP port can be opened")
    advice = "Look at ICE_HOST_ADDRESSES and ICE_UDP_PORTS."
    return Finding(part, "stop", f"no UDP port can be opened: {reason}", advice)


def _model_server_finding(state: ServerState) -> Finding:
    server = state.server
    part = f"model server {server.name}"
    runs = f"{server.networks}, on {server.device}"
    if state.state == "ready":
        text = (
            f"{runs} ({state.device}): {state.on_air} on air, room for {state.room} more of "
            f"{state.fits}, {state.frame_ms:.3g} ms a face, {state.load_percent} % busy"
        )
        return Finding(part, "ok", text)
    if state.state == "failed":
        advice = "`manage.py weights` lists what belongs where; it tries again by itself."
        return Finding(part, "note", f"{runs}: {state.message}", advice)
    if state.state == "loading":
        return Finding(part, "ok", f"{runs}: still loading")
    advice = f"`manage.py up` starts it; elsewhere: manage.py run_model_server {server.number}."
    return Finding(part, "note", f"{runs}: not running", advice)


def _is_livestudio_running() -> bool:
    host = (
        f"[{settings.LOCAL_ADDRESS}]" if ":" in settings.LOCAL_ADDRESS else settings.LOCAL_ADDRESS
    )
    url = f"http://{host}:{settings.PORT}/livez"
    try:
        with urllib.request.urlopen(url, timeout=_HTTP_TIMEOUT_SECONDS) as answer:  # noqa: S310 - ours
            return bool(answer.read(16) == b"ok\n")
    except (URLError, OSError, ValueError):
        return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
