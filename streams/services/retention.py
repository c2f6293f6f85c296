"""What is kept for a while and then deleted: recordings, run folders, drawn presenters.

Each sweep does a bounded piece of work and may be repeated or cut short anywhere. The folders of
this host alone are touched, and in them only what broadcasts have left.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from inference.services import active_runners
from livestudio.common.log import get_logger
from metering.services.storage import forget_files
from streams.models import Broadcast, Recording
from streams.models.broadcast import FINAL_STATES
from streams.models.recording import RecordingState

log = get_logger(__name__)

DELETED_PER_SWEEP: Final = 200
# The clock has run evenly for so long before anything is deleted by what it says.
STEADY_SECONDS: Final = 3600.0
DRIFT_SECONDS: Final = 60.0
# A drawn presenter that was used within this stays, however full the cache is.
CACHE_IN_USE: Final = timedelta(days=1)
MIB: Final = 1024 * 1024

DELETED_BY_AGE: Final = "Deleted because its time to be kept was over."


class SteadyClock:
    """Whether the wall clock can be believed: one that was wrong once would delete everything."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._start_again()

    def is_trusted(self) -> bool:
        """True when it has neither jumped nor stood still for an hour of watching."""
        passed = self._monotonic() - self._since
        if abs(self._wall() - self._wall_since - passed) > DRIFT_SECONDS:
            self._start_again()
            return False
        return passed >= STEADY_SECONDS

    def _start_again(self) -> None:
        self._wall_since, self._since = self._wall(), self._monotonic()


def sweep(now: datetime) -> int:
    """Delete what is past its time; how many files and folders."""
    deleted = delete_recordings(now) + delete_run_folders(now) + shrink_cache(now)
    if deleted:
        log.info("old files deleted", files=deleted)
    return deleted


def delete_recordings(now: datetime) -> int:
    """Delete files that nobody has written to for `RECORDING_KEEP_DAYS`; how many.

    Their rows stay and say so.
    """
    if not settings.RECORDING_KEEP_DAYS:
        return 0
    cutoff = now - timedelta(days=settings.RECORDING_KEEP_DAYS)
    folder = Path(settings.RECORDINGS_DIR)
    old = (path for part in _folders(folder) for path in _files(part) if _changed(path) < cutoff)
    paths = list(islice(old, DELETED_PER_SWEEP))
    # The rows first: whoever is killed in between finds the files again, but never such rows.
    rows = Recording.objects.filter(path__in=[str(path.relative_to(folder)) for path in paths])
    keys = list(rows.values_list("pk", flat=True))
    rows.update(state=RecordingState.DELETED, reason=DELETED_BY_AGE)
    deleted = sum(_unlink(path) for path in paths)
    forget_files("recording", keys)
    for part in {path.parent for path in paths}:
        _remove_empty(part)
    return deleted


def delete_run_folders(now: datetime) -> int:
    """Delete logs and outboxes of broadcasts that ended `RUN_FOLDER_KEEP_DAYS` ago; how many."""
    if not settings.RUN_FOLDER_KEEP_DAYS:
        return 0
    cutoff = now - timedelta(days=settings.RUN_FOLDER_KEEP_DAYS)
    old = [path for path in _folders(Path(settings.RUNS_DIR)) if _changed(path) < cutoff]
    kept = _still_needed([UUID(path.name) for path in old], cutoff)
    ended = [path for path in old if UUID(path.name) not in kept][:DELETED_PER_SWEEP]
    for path in ended:
        shutil.rmtree(path, ignore_errors=True)
    return len(ended)


def shrink_cache(now: datetime) -> int:
    """Delete the presenters that were used longest ago, down to `CACHE_MAX_MIB`; how many."""
    if not settings.CACHE_MAX_MIB:
        return 0
    items = [_Cached.look_at(path) for path in _cached(Path(settings.CACHE_DIR))]
    excess = sum(item.size_bytes for item in items) - settings.CACHE_MAX_MIB * MIB
    in_use = (now - CACHE_IN_USE).timestamp()
    deleted = 0
    for item in sorted(items, key=lambda item: item.used_at):
        if excess <= 0 or item.used_at > in_use or deleted >= DELETED_PER_SWEEP:
            break
        if item.delete():
            excess -= item.size_bytes
            deleted += 1
    return deleted


@dataclass(frozen=True, slots=True)
class _Cached:
    """A drawn presenter is a file; a film that was scaled for shows is a folder, of no use in part.

    used_at: when any of it was read or written last.
    """

    path: Path
    size_bytes: int
    used_at: float

    @classmethod
    def look_at(cls, path: Path) -> _Cached:
        inside = _children(path) if path.is_dir() else [path]
        stats = [stat for each in inside if (stat := _stat(each)) is not None]
        used = [_used(stat) for stat in stats] or [_modified(path)]
        return cls(path, sum(stat.st_size for stat in stats), max(used))

    def delete(self) -> bool:
        if not self.path.is_dir():
            return _unlink(self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        return not self.path.exists()


def _cached(folder: Path) -> Iterator[Path]:
    """Files, and folders of films, half of one too; whatever else lies there is not ours."""
    yield from _files(folder)
    for path in _children(folder):
        is_film = path.name.removeprefix(".").startswith("film-")
        if is_film and path.is_dir() and not path.is_symlink():
            yield path


def _still_needed(ids: list[UUID], cutoff: datetime) -> set[UUID]:
    """Of these broadcasts those that are not over, ended lately, or have a process."""
    rows = Broadcast.objects.filter(pk__in=ids)
    over = rows.filter(state__in=FINAL_STATES, ended_at__lt=cutoff)
    needed = set(rows.exclude(pk__in=over.values("pk")).values_list("pk", flat=True))
    return needed | set(active_runners().values_list("broadcast", flat=True))


def _folders(folder: Path) -> Iterator[Path]:
    """Those that bear the id of a broadcast; whatever else lies there is not ours."""
    for path in _children(folder):
        try:
            is_ours = str(UUID(path.name)) == path.name and path.is_dir() and not path.is_symlink()
        except ValueError:
            continue
        if is_ours:
            yield path


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in _children(folder) if path.is_file() and not path.is_symlink())


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _changed(path: Path) -> datetime:
    """When a file, or the newest thing in a folder, was written last."""
    times = [_modified(item) for item in (path, *(_children(path) if path.is_dir() else ()))]
    return datetime.fromtimestamp(max(times), tz=UTC)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # gone meanwhile


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None  # gone meanwhile


def _used(stat: os.stat_result) -> float:
    return max(stat.st_mtime, stat.st_atime)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("old file cannot be deleted", path=str(path), reason=error.strerror)
        return False
    return True


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # something is left in it
