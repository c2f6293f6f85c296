"""Uploads of presenters in tests, and what the builder makes of them."""

from __future__ import annotations

import time
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from avatars import build_events
from avatars.builder import AvatarBuilder
from avatars.bundles import bundle_folder
from avatars.models import AvatarBuild
from inference.builds import BuildEvent
from tests.factories import Cast, api_client

FACTS = {
    "frames": 50, "width_px": 640, "height_px": 480, "seconds": 2.0, "version": "v1.5",
    "notes": [], "clips": [{"name": "idle", "duration_ms": 2000},
                           {"name": "wave", "duration_ms": 800}],
}  # fmt: skip


def form(**values: Any) -> dict[str, Any]:
    film = SimpleUploadedFile("me.mp4", b"not a film at all")
    points = SimpleUploadedFile("points.json", b"{}")
    return {"name": "Mei", "engine": "musetalk_tiny", "file": film, "landmarks": points, **values}


def upload(cast: Cast, **values: Any) -> Any:
    return api_client(cast.alice).post("/api/v1/avatars/", form(**values), format="multipart")


def run_builder(builder: AvatarBuilder, build: AvatarBuild, seconds: float = 120) -> None:
    """Rounds of the control loop until the build is over."""
    until = time.monotonic() + seconds
    while not build.is_over:
        assert time.monotonic() < until
        builder.look()
        build.refresh_from_db()
        time.sleep(0.05)


def finish(build: AvatarBuild, facts: dict[str, Any] = FACTS) -> None:
    """What the builder writes when the child has left a bundle."""
    folder = bundle_folder(build)
    folder.mkdir(parents=True)
    (folder / "preview.png").write_bytes(b"png")
    (folder / "preview.mp4").write_bytes(b"film")
    build_events.apply_event(build, BuildEvent("done", facts))
