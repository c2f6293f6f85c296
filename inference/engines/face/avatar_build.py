"""Builds a presenter of an upload: decode, check, prepare, show. The job behind `tool build`.

request: engine, settings (with `weights`), source, landmarks, out (a folder that is made), options.
source: a film or photo, or a zip with a presenter that was built elsewhere.
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
from inference.engines.face.archives import is_archive, unpack_archive
from inference.engines.face.avatar_preview import write_preview_film
from inference.engines.face.face_mesh.finding import find_landmarks
from inference.engines.face.musetalk.building import Footage, Report
from inference.engines.face.musetalk.bundle import FRAMES, Manifest, write_manifest
from inference.engines.weights import WeightsError

_DECODE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build. landmarks: a JSON file as `musetalk.landmarks` reads it; None: found here."""

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
        has_preview = (work / "preview.mp4").is_file()
        work.chmod(0o755)
        # Of a build that was done when its loop died: nobody was told, so nobody shows it.
        shutil.rmtree(request.out, ignore_errors=True)
        work.replace(request.out)
    except OSError as error:
        text = f"There is no room to build the presenter: {error.strerror or error}."
        raise EngineError("disk_failed", text) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(100, "done", "")
    return {**facts_of(manifest), "has_preview": has_preview}


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
    is_import = is_archive(request.source)
    manifest = (_import if is_import else _build_film)(request, work, report)
    for note in manifest.notes:
        report(84, "checks", note)
    try:
        _write_previews(request, work, manifest, report)
    except WeightsError as error:
        if not is_import:
            raise
        # It was prepared where the weights are; here they may come later.
        report(98, "preview", f"There is no preview film: {error.message}")
    write_manifest(work, manifest)
    return manifest


def _build_film(request: BuildRequest, work: Path, report: Report) -> Manifest:
    facts = _decode(request.source, work / FRAMES)
    report(16, "frames", f"{facts['frames']} pictures of {facts['width_px']}x{facts['height_px']}")
    frames, rate = _frames(work, facts["height_px"], facts["width_px"]), facts["frame_rate"]
    points: Path | Json | None = request.landmarks
    if points is None:
        points = find_landmarks(frames, rate, lambda share: report(17, "landmarks", ""))
    footage = Footage(frames, rate, points)
    build = _builder(request.engine)
    return build(work, footage, request.engine, request.settings, request.options, report)


def _import(request: BuildRequest, work: Path, report: Report) -> Manifest:
    """A presenter that was built elsewhere, unpacked beside its bundle."""
    # By name: what reads latents loads PyTorch, which building a photo does without.
    importing = importlib.import_module("inference.engines.face.musetalk.importing")
    report(2, "unpacking", "")
    unpacked = Path(tempfile.mkdtemp(dir=work, prefix="archive-"))
    try:
        found = unpack_archive(request.source, unpacked)
        report(10, "checks", "")
        taken: Manifest = importing.import_avatar(
            found, work, request.engine, request.settings, report
        )
        return taken
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _frames(work: Path, height_px: int, width_px: int) -> Any:
    pictures = np.memmap(work / FRAMES, np.uint8, mode="r")
    return pictures.reshape(-1, height_px * 3 // 2, width_px)


def _builder(engine: str) -> Callable[..., Manifest]:
    module, _, name = get_engine("face", engine).builder.partition(":")
    if not module:
        raise EngineError("no_builder", f"Avatars of {engine} are not built.", retryable=False)
    found: Callable[..., Manifest] = getattr(importlib.import_module(module), name)
    return found


def _write_previews(request: BuildRequest, work: Path, manifest: Manifest, report: Report) -> None:
    report(85, "preview", "")
    first = _frames(work, manifest.height_px, manifest.width_px)[0]
    image = cv2.cvtColor(np.ascontiguousarray(first), cv2.COLOR_YUV2BGR_I420)
    cv2.imwrite(str(work / "preview.png"), image)
    # What was built elsewhere fits the networks that it was made for, as on air.
    settings = {**request.settings, "bundle": str(work), "version": manifest.version}

    def drawn(share: float) -> None:
        report(86 + int(12 * share), "preview", "")

    write_preview_film(
        work / "preview.mp4", request.engine, settings, manifest, request.cache_folder, drawn
    )


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
