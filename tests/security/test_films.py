"""Films that presenters are built of are hostile until they are pixels."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inference.builds import BuildJob
from inference.engines.base import EngineError
from inference.engines.face import avatar_build, avatar_preview
from inference.tool_client import CHILDREN_AT_A_TIME, ToolError, run_tool
from tests.security.films import FRAMES, HOSTILE, film

SECRETS = ("SECRET_KEY", "FIELD_KEYS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")


def decode(folder: Path, name: str, content: bytes) -> str:
    """What the decoder says of a film: its code, or `taken`."""
    source = folder / name.replace(" ", "-")
    source.write_bytes(content)
    try:
        run_tool("footage", {"path": str(source), "out": f"{source}.i420"}, timeout_seconds=30)
    except ToolError as error:
        return error.code
    return "taken"


def test_hostile_film_is_refused_or_costs_what_its_pictures_cost(tmp_path: Path) -> None:
    with ThreadPoolExecutor(CHILDREN_AT_A_TIME) as pool:
        told = dict(
            zip(
                HOSTILE,
                pool.map(lambda name: decode(tmp_path, name, HOSTILE[name][0]()), HOSTILE),
                strict=True,
            )
        )

    assert told == {name: code for name, (_, code) in HOSTILE.items()}
    written = {path: path.stat().st_size for path in tmp_path.glob("*.i420")}
    assert max(written.values()) < 64 << 20, written


def test_good_film_is_taken(tmp_path: Path) -> None:
    assert decode(tmp_path, "good", film()) == "taken"
    assert (tmp_path / "good.i420").stat().st_size == FRAMES * 320 * 480


def test_no_child_of_a_build_sees_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "canary")
    seen: list[str] = []

    def note(real: Any) -> Any:
        def started(*args: Any, **options: Any) -> Any:
            seen.append(str(options.get("env")))
            return real(*args, **options)

        return started

    monkeypatch.setattr(subprocess, "Popen", note(subprocess.Popen))
    source = tmp_path / "film"
    source.write_bytes(b"no film")

    job = BuildJob({"engine": "musetalk_tiny", "source": str(source), "out": str(tmp_path / "out")})
    job.cancel()
    with pytest.raises(EngineError):
        avatar_build._decode(source, tmp_path / "frames")
    avatar_preview._sentence()

    assert len(seen) == 3
    assert all("PATH" in environment and "canary" not in environment for environment in seen)
