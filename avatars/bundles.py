"""Where the built versions of presenters lie, and what an engine is told of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from accounts.hooks import OwnedFolder
from accounts.models import Organization
from avatars.models import Avatar, AvatarBuild
from inference import model_servers
from inference.catalog import ENGINES
from inference.model_servers import ModelServer
from metering.hooks import FileFound

# The clip that plays while no other does.
IDLE: Final = "idle"


def bundle_folder(build: AvatarBuild) -> Path:
    """Where the finished bundle of a build lies."""
    return avatar_folder(build.avatar_id) / str(build.pk)


def avatar_folder(avatar_id: UUID) -> Path:
    """The bundles of an avatar."""
    return Path(settings.DATA_DIR) / "bundles" / str(avatar_id)


def remove_bundles(avatar_id: UUID) -> None:
    """Delete all versions from the disk, when the rows are gone."""
    shutil.rmtree(avatar_folder(avatar_id), ignore_errors=True)


def bundle_bytes(build: AvatarBuild) -> int:
    """What a version takes up on the disk; 0 when it is not there."""
    folder = bundle_folder(build)
    return sum(path.stat().st_size for path in folder.glob("*")) if folder.is_dir() else 0


def stored_bundles() -> Iterator[FileFound]:
    """Every version that lies on the disk."""
    ready = AvatarBuild.objects.filter(state=AvatarBuild.State.READY)
    for build in ready.select_related("avatar").iterator():
        if size_bytes := bundle_bytes(build):
            organization = build.avatar.organization_id
            yield FileFound(organization, "avatar-build", str(build.pk), size_bytes)


def upload_bytes(build: AvatarBuild) -> int:
    """What the film or photo of a version and its face points take up; 0 when they are gone."""
    paths = [Path(file.path) for file in (build.source, build.landmarks) if file]
    return sum(path.stat().st_size for path in paths if path.is_file())


def stored_uploads() -> Iterator[FileFound]:
    """Of every version that waits, is built or may be built again."""
    for build in AvatarBuild.objects.exclude(source="").select_related("avatar").iterator():
        if size_bytes := upload_bytes(build):
            organization = build.avatar.organization_id
            yield FileFound(organization, "avatar-upload", str(build.pk), size_bytes)


def folders_of_bundles(organization: Organization) -> list[OwnedFolder]:
    """For the export and the deletion of an organization."""
    keys = Avatar.objects.for_organization(organization).values_list("pk", flat=True)
    return [OwnedFolder(avatar_folder(key), f"avatars/{key}") for key in keys]


def current_build(avatar: Avatar) -> AvatarBuild | None:
    """The version that shows present."""
    return avatar.builds.filter(is_current=True).first()


def weights_folder() -> Path:
    """Where an operator puts the weights of neural engines."""
    return Path(settings.DATA_DIR) / "weights"


def is_filmed(avatar: Avatar) -> bool:
    """Whether its engine shows a film that was built."""
    return any(e.kind == "face" and e.name == avatar.engine and e.builder for e in ENGINES)


def playable_clips(avatar: Avatar) -> dict[str, int]:
    """The clips of the version that shows present: how many ms each lasts, by its engine's name."""
    build = current_build(avatar) if is_filmed(avatar) else None
    filmed = build.facts.get("clips", ()) if build is not None else ()
    return {clip["name"]: clip["duration_ms"] for clip in filmed if clip["name"] != IDLE}


def engine_settings(avatar: Avatar) -> dict[str, Any]:
    """What the face engine is created with: settings, and for a film where it and weights lie."""
    values = dict(avatar.settings)
    if not is_filmed(avatar):
        return values
    build = current_build(avatar)
    if build is not None:
        values["bundle"] = str(bundle_folder(build))
        # The latents fit the networks that they were made for.
        values["version"] = build.facts.get("version", "v1.5")
    if settings.FACE_NETWORKS == "server" and model_servers.is_served(avatar.engine):
        # Always in the same order: the idle loop is kept under these settings.
        own = [server for server in present_servers() if server.engine == avatar.engine]
        values["servers"] = [str(server.socket) for server in own]
    return {**values, "weights": str(weights_folder())}


def present_servers() -> list[ModelServer]:
    """The model servers that the settings list; none where each worker has its own networks."""
    if settings.FACE_NETWORKS != "server":
        return []
    return model_servers.list_servers(settings.MODEL_SERVERS, settings.DATA_DIR)


def no_room_reason(avatar: Avatar, frame_rate: float) -> str | None:
    """Why no GPU takes another broadcast of the presenter; None when one does or none is needed."""
    servers = present_servers()
    if not servers or not model_servers.is_served(avatar.engine):
        return None
    build = current_build(avatar)
    version = str(build.facts.get("version", "v1.5")) if build is not None else "v1.5"
    decoder = str(avatar.settings.get("decoder", "kl"))
    return model_servers.obstacle(servers, avatar.engine, version, decoder, frame_rate)
