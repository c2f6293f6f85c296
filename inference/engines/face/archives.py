"""Unpack a zip that a user sent: plain files under their own names, within limits, or nothing."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from inference.engines.base import EngineError

MAGIC: Final = b"PK\x03\x04"
MAX_FILES: Final = 20_000
# Of everything in it, unpacked.
MAX_BYTES: Final = 4 << 30
_MAX_NAME: Final = 200
# What stays free for shows on air, which record to the same disk.
_SPARE_BYTES: Final = 1 << 30
_BLOCK_BYTES: Final = 1 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# All that the reader was seen to raise over archives with wrong bytes.
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError,
    UnicodeError, ValueError,
)  # fmt: skip


# Said of a zip without a presenter.
NO_AVATAR: Final = (
    "There is no avatar in the archive. It should hold what MuseTalk or LiveTalking made "
    "(full_imgs, mask, coords.pkl, mask_coords.pkl, latents.pt), or a bundle of LiveStudio."
)


class ArchiveError(EngineError):
    """The archive is not unpacked; the message says what is wrong with it."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_archive", message, retryable=False)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, judged by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def unpack_archive(source: Path, folder: Path) -> Path:
    """Unpack into an empty folder; the folder that holds the files. Raises ArchiveError.

    Everything is judged before the first byte is written, and what is written is counted: an entry
    may not be longer than it says.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            entries = _checked(archive, folder)
            for entry in entries:
                _write(archive, entry, folder / entry.filename)
    except _DAMAGE as error:
        raise ArchiveError("The archive is damaged or cut off.") from error
    return _root(folder)


def look_at_archive(source: Path) -> list[str]:
    """The names of its files, judged as below; nothing is unpacked. Raises ArchiveError."""
    try:
        with zipfile.ZipFile(source) as archive:
            return [PurePosixPath(e.filename).name for e in _checked(archive, source.parent)]
    except _DAMAGE as error:
        raise ArchiveError("The archive is damaged or cut off.") from error


def _checked(archive: zipfile.ZipFile, folder: Path) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise ArchiveError(
            f"The archive holds {len(entries)} files; at most {MAX_FILES} are taken."
        )
    for entry in entries:
        _check_name(entry)
        _check_kind(entry)
    files = [entry for entry in entries if not entry.is_dir()]
    _check_places(files)
    total = sum(entry.file_size for entry in files)
    if total > MAX_BYTES:
        raise ArchiveError(
            f"Unpacked it would take {total / 2**30:.1f} GiB; at most {MAX_BYTES >> 30} are taken."
        )
    if total > shutil.disk_usage(folder).free - _SPARE_BYTES:
        raise EngineError("disk_failed", "There is no room on the disk to unpack the archive.")
    return files


def _check_places(files: list[zipfile.ZipInfo]) -> None:
    # Some disks do not tell capital letters from small ones.
    places = [PurePosixPath(entry.filename.casefold()) for entry in files]
    if len(set(places)) < len(places):
        raise ArchiveError("The archive holds two files of the same name.")
    folders = {PurePosixPath(), *(folder for place in places for folder in place.parents)}
    if both := sorted(str(place) for place in folders.intersection(places)):
        raise ArchiveError(f"{both[0][:60]!r} in the archive is a file and a folder at once.")


def _check_name(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    parts = PurePosixPath(name).parts
    is_inside = not name.startswith("/") and ".." not in parts and ":" not in name
    if not is_inside or "\\" in name or not name.isprintable() or len(name) > _MAX_NAME:
        raise ArchiveError(f"The archive names a file outside of itself: {name[:60]!r}.")


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{entry.filename[:60]!r} in the archive is a link or no plain file.")
    if entry.flag_bits & 0x1:
        raise ArchiveError("The archive is locked with a password.")
    if entry.compress_type not in _METHODS:
        raise ArchiveError("The archive is packed in a way that is not taken: use a plain zip.")


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as packed, path.open("xb") as file:
        while block := packed.read(_BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise ArchiveError(f"{path.name} in the archive is longer than it says.")
            file.write(block)


def _root(folder: Path) -> Path:
    """Archives are often made of a folder: then that one."""
    inside = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
