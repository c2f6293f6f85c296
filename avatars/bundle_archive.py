"""A finished version as a zip: to be kept, or built into another installation."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, cast

from avatars.bundles import bundle_folder
from avatars.models import AvatarBuild
from livestudio.common.errors import NotFoundError

# Pictures of a film are alike: the quickest level makes them half as large.
_LEVEL: Final = 1
_CHUNK_BYTES: Final = 1024 * 1024
# One for all that are downloaded from this process: gigabytes are packed on one core at most.
_PACKER: Final = ThreadPoolExecutor(1, thread_name_prefix="packs-presenters")


def write_archive(build: AvatarBuild, target: IO[bytes]) -> None:
    """Write the bundle of a version as a zip. Raises NotFoundError when it is not there."""
    for piece in _zipped(_folder_of(build)):
        target.write(piece)


def stream_archive(build: AvatarBuild) -> AsyncIterator[bytes]:
    """The zip, made while it is read and nowhere kept. Raises NotFoundError at once."""
    return _in_background(_zipped(_folder_of(build)))


def _folder_of(build: AvatarBuild) -> Path:
    folder = bundle_folder(build)
    if build.state != AvatarBuild.State.READY or not folder.is_dir():
        raise NotFoundError("This version is not on this disk.")
    return folder


async def _in_background(pieces: Generator[bytes]) -> AsyncIterator[bytes]:
    """One piece ahead of no reader: who reads slowly holds some memory and no thread."""
    loop = asyncio.get_running_loop()
    try:
        while (piece := await loop.run_in_executor(_PACKER, next, pieces, None)) is not None:
            yield piece
    finally:
        # Behind the piece that is being made: a reader may hang up during it.
        _PACKER.submit(pieces.close)


def _zipped(folder: Path) -> Generator[bytes]:
    sent = _Sent()
    with zipfile.ZipFile(
        cast(IO[bytes], sent), "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
    ) as archive:
        for path in sorted(folder.iterdir()):
            # Sizes follow each file, for nobody can go back and write them before it.
            with path.open("rb") as source, archive.open(path.name, "w", force_zip64=True) as entry:
                while chunk := source.read(_CHUNK_BYTES):
                    entry.write(chunk)
                    yield from sent.taken()
    yield from sent.taken()


class _Sent:
    """A file that cannot be gone back in: what is written is taken away."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        self._waiting += content
        return len(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> Iterator[bytes]:
        if self._waiting:
            yield bytes(self._waiting)
            self._waiting.clear()


def pack_folder(folder: Path, target: IO[bytes]) -> None:
    """A zip of a folder that another program made, for the builder that unpacks it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, path.relative_to(folder))
