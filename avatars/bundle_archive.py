"""A finished version as a zip: to be kept, or built into another installation."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import IO

from django.conf import settings

from avatars.bundles import bundle_folder
from avatars.models import AvatarBuild
from livestudio.common.errors import NotFoundError

# Pictures of a film are alike: the quickest level makes them half as large.
_LEVEL = 1


def write_archive(build: AvatarBuild, target: IO[bytes]) -> None:
    """Write the bundle of a version as a zip. Raises NotFoundError when it is not there."""
    folder = bundle_folder(build)
    if build.state != AvatarBuild.State.READY or not folder.is_dir():
        raise NotFoundError("This version is not on this disk.")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def open_archive(build: AvatarBuild) -> IO[bytes]:
    """The zip, to be read once: it is gone when it is closed. Raises NotFoundError."""
    file = tempfile.TemporaryFile(dir=settings.DATA_DIR)
    try:
        write_archive(build, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def pack_folder(folder: Path, target: IO[bytes]) -> None:
    """A zip of a folder that another program made, for the builder that unpacks it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, path.relative_to(folder))
