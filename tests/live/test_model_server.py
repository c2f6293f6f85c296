"""`manage.py up` with a model server: started, started again when killed, ended with the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0


def wait_for(found: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < until, what
        time.sleep(0.1)
    return value


@pytest.fixture
def environment(tmp_path: Path, unused_tcp_port: int) -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        **kept, "DATA_DIR": str(tmp_path), "PORT": str(unused_tcp_port), "TEST_ENGINES": "1",
        "FACE_NETWORKS": "server", "MODEL_SERVERS": "cpu/musetalk_tiny/v1.5/kl",
    }  # fmt: skip


@pytest.fixture
def platform(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-input"], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield child
    child.terminate()
    child.wait(SECONDS)


def test_model_server_of_up_is_started_again_and_ends_with_it(
    platform: subprocess.Popen[bytes], environment: dict[str, str], tmp_path: Path
) -> None:
    status = tmp_path / "gpu" / "0.json"

    def ready(but: int = 0) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(status.read_text()) if status.exists() else {}
        return said if said.get("state") == "ready" and said["pid"] != but else {}

    first = wait_for(ready, "no model server")
    names = {line.partition("=")[0] for line in _environment_of(first["pid"])}
    assert not names & {"SECRET_KEY", "FIELD_KEYS", "DATABASE_URL"}
    os.kill(first["pid"], signal.SIGKILL)
    second = wait_for(lambda: ready(but=first["pid"]), "it is not started again")
    told = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {item["part"]: item for item in map(json.loads, told.stdout.splitlines())}
    assert found["model server gpu-0"]["level"] == "ok"

    platform.terminate()
    platform.wait(SECONDS)

    wait_for(lambda: not Path(f"/proc/{second['pid']}").exists(), "it outlives its parent")


def _environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
