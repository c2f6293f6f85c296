"""Builds a presenter of an upload: decode, check, prepare, show. The job behind `tool build`.

request: engine, settings (with `weights`), source, landmarks, out (a folder that is made), options.
The result is a folder with a bundle; it appears under its name only when all of it is there.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from inference.catalog import get_engine
from inference.child_environment import child_environment
from inference.engines.base import EngineError, Json
from inference.engines.face.avatar_preview import write_preview_film
from inference.engines.face.musetalk.building import Footage, Report
from inference.engines.face.musetalk.bundle import FRAMES, Manifest, write_manifest

_DECODE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build. landmarks: a JSON file as `musetalk.landmarks` reads it."""

    engine: str
    settings: Json
    source: Path
    landmarks: Path | None
    out: Path
    cache_folder: Path
    options: Json


def build_avatar(request: BuildRequest, report: Report) -> Json:
    """Build and return facts {frames, width_px, height_px, seconds, notes, clips}.

    Raises EngineError with the reason in a host's words; then nothing is left behind.
    """
    request.out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=request.out.parent, prefix=f".{request.out.name}-"))
    try:
        manifest = _build(request, work, report)
        work.chmod(0o755)
        work.replace(request.out)
    except OSError as error:
        text = f"There is no room to build the presenter: {error.strerror or error}."
        raise EngineError("disk_failed", text) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(100, "done", "")
    return facts_of(manifest)


def facts_of(manifest: Manifest) -> Json:
    """What the host is told of a bundle."""
    return {
        "frames": manifest.frames,
        "width_px": manifest.width_px,
        "height_px": manifest.height_px,
        "seconds": round(manifest.frames / manifest.frame_rate, 2),
        "version": manifest.version,
        "notes": list(manifest.notes),
        "clips": [
            {"name": clip.name, "duration_ms": round(clip.count * 1000 / manifest.frame_rate)}
            for clip in manifest.clips
        ],
    }


def _build(request: BuildRequest, work: Path, report: Report) -> Manifest:
    report(1, "frames", "")
    if request.landmarks is None:
        raise EngineError(
            "no_landmarks",
            "The upload came without face points, and this machine has nothing that finds them. "
            "Upload it through the studio, or post a file `landmarks` with it.",
            retryable=False,
        )
    facts = _decode(request.source, work / FRAMES)
    report(16, "frames", f"{facts['frames']} pictures of {facts['width_px']}x{facts['height_px']}")
    rows = facts["height_px"] * 3 // 2
    pictures = np.memmap(work / FRAMES, np.uint8, mode="r")
    frames = pictures.reshape(facts["frames"], rows, facts["width_px"])
    footage = Footage(frames, facts["frame_rate"], request.landmarks)
    build = _builder(request.engine)
    manifest = build(work, footage, request.engine, request.settings, request.options, report)
    for note in manifest.notes:
        report(84, "checks", note)
    _write_previews(request, work, frames, manifest, report)
    return manifest


def _builder(engine: str) -> Callable[..., Manifest]:
    module, _, name = get_engine("face", engine).builder.partition(":")
    if not module:
        raise EngineError("no_builder", f"Avatars of {engine} are not built.", retryable=False)
    found: Callable[..., Manifest] = getattr(importlib.import_module(module), name)
    return found


def _write_previews(
    request: BuildRequest, work: Path, frames: Any, manifest: Manifest, report: Report
) -> None:
    report(85, "preview", "")
    image = cv2.cvtColor(np.ascontiguousarray(frames[0]), cv2.COLOR_YUV2BGR_I420)
    cv2.imwrite(str(work / "preview.png"), image)
    settings = {**request.settings, "bundle": str(work)}

    def drawn(share: float) -> None:
        report(86 + int(12 * share), "preview", "")

    write_preview_film(
        work / "preview.mp4", request.engine, settings, manifest, request.cache_folder, drawn
    )
    write_manifest(work, manifest)


def _decode(source: Path, out: Path) -> Json:
    """Decode in a child with limits of its own: what users send is hostile until it is pixels."""
    request = json.dumps({"path": str(source), "out": str(out)}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "inference.tool", "footage"],
            input=request, capture_output=True, timeout=_DECODE_SECONDS, check=False,
            env=child_environment("TEST_ENGINES"),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise EngineError("footage_damaged", "Reading the film took too long.") from error
    if done.returncode == 0:
        facts: Json = json.loads(done.stdout)
        return facts
    try:
        said = json.loads(done.stderr.decode(errors="replace").strip().splitlines()[-1])
        raise EngineError(said["code"], said["message"], retryable=bool(said["retryable"]))
    except (IndexError, ValueError, KeyError, TypeError) as error:
        # Killed by its limits: it wanted more memory or time than any film needs.
        text = "The file cannot be read: it is damaged, or made to exhaust the machine."
        raise EngineError("footage_damaged", text, retryable=False) from error
