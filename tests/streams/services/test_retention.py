"""What is past its time is deleted, and nothing else."""

from __future__ import annotations

import os
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from inference.models import Runner, RunnerState
from streams.models import Broadcast, Recording
from streams.services import retention
from streams.services.lifecycle import finish_broadcast
from streams.services.retention import (
    SteadyClock,
    delete_recordings,
    delete_run_folders,
    shrink_cache,
    sweep,
)
from tests.factories import Cast
from tests.streams.plans import put_live


@pytest.fixture(autouse=True)
def _folders(db: None, settings: Any, tmp_path: Path) -> None:
    for name in ("RUNS", "RECORDINGS", "CACHE"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        setattr(settings, f"{name}_DIR", folder)
    settings.RECORDING_KEEP_DAYS, settings.RUN_FOLDER_KEEP_DAYS = 30, 7


def write(path: Path, *, days_old: float, size: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    age(path, days_old)
    age(path.parent, days_old)
    return path


def age(path: Path, days: float) -> None:
    at = timezone.now().timestamp() - days * 86_400
    os.utime(path, (at, at))


def ended(cast: Cast, *, days_ago: float) -> Broadcast:
    broadcast = put_live(cast, title=f"{days_ago}")
    finish_broadcast(broadcast=broadcast, state="ended")
    at = timezone.now() - timedelta(days=days_ago)
    Broadcast.objects.filter(pk=broadcast.pk).update(ended_at=at)
    return broadcast


# --- recordings ----------------------------------------------------------------------------------


def recording_of(broadcast: Broadcast, path: Path, settings: Any) -> Recording:
    name = str(path.relative_to(settings.RECORDINGS_DIR))
    return Recording.objects.create(
        broadcast=broadcast, runner_key=name, path=name, state="finished"
    )


def test_old_recordings_are_deleted_and_their_rows_say_so(cast: Cast, settings: Any) -> None:
    broadcast = ended(cast, days_ago=40)
    folder = settings.RECORDINGS_DIR / str(broadcast.pk)
    old = recording_of(broadcast, write(folder / "old.mp4", days_old=31), settings)
    new = recording_of(broadcast, write(folder / "new.mp4", days_old=29), settings)

    assert delete_recordings(timezone.now()) == 1

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, new.state) == ("deleted", "finished")
    assert old.reason == retention.DELETED_BY_AGE
    assert [path.name for path in folder.iterdir()] == ["new.mp4"]


def test_folder_goes_with_its_last_recording(cast: Cast, settings: Any) -> None:
    folder = settings.RECORDINGS_DIR / str(uuid.uuid4())
    write(folder / "old.mp4", days_old=31)

    delete_recordings(timezone.now())

    assert not folder.exists()


def test_recordings_are_kept_for_ever_unless_somebody_says_otherwise(settings: Any) -> None:
    settings.RECORDING_KEEP_DAYS = 0
    write(settings.RECORDINGS_DIR / str(uuid.uuid4()) / "old.mp4", days_old=9000)

    assert delete_recordings(timezone.now()) == 0


def test_what_broadcasts_have_not_left_there_is_not_touched(settings: Any, tmp_path: Path) -> None:
    outside = write(tmp_path / "elsewhere" / "old.mp4", days_old=900)
    link = settings.RECORDINGS_DIR / str(uuid.uuid4())
    link.symlink_to(outside.parent)
    inner = settings.RECORDINGS_DIR / str(uuid.uuid4()) / "kept"
    notes = [
        write(settings.RECORDINGS_DIR / "notes.txt", days_old=900),
        write(settings.RECORDINGS_DIR / "archive" / "old.mp4", days_old=900),
        write(inner / "deeper.mp4", days_old=900),
    ]

    assert sweep(timezone.now()) == 0
    assert all(path.exists() for path in (outside, link, *notes))


def test_one_sweep_does_a_bounded_piece_of_work(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_SWEEP", 2)
    for number in range(5):
        write(settings.RECORDINGS_DIR / str(uuid.uuid4()) / f"{number}.mp4", days_old=31)

    assert [delete_recordings(timezone.now()) for _ in range(4)] == [2, 2, 1, 0]


# --- run folders ---------------------------------------------------------------------------------


def test_run_folders_of_ended_broadcasts_go(cast: Cast, settings: Any) -> None:
    old, lately, on_air = ended(cast, days_ago=8), ended(cast, days_ago=6), put_live(cast)
    busy = ended(cast, days_ago=8)
    Runner.objects.create(
        broadcast=busy.pk, lease_epoch=1, launcher="x", state=RunnerState.RUNNING,
        started_at=timezone.now(),
    )  # fmt: skip
    gone = uuid.uuid4()
    for key in (old.pk, lately.pk, on_air.pk, busy.pk, gone):
        write(settings.RUNS_DIR / str(key) / "runner.log", days_old=20)

    assert delete_run_folders(timezone.now()) == 2

    left = {path.name for path in settings.RUNS_DIR.iterdir()}
    assert left == {str(lately.pk), str(on_air.pk), str(busy.pk)}


def test_run_folder_that_was_written_to_lately_stays(cast: Cast, settings: Any) -> None:
    old = ended(cast, days_ago=20)
    write(settings.RUNS_DIR / str(old.pk) / "runner.log", days_old=1)
    age(settings.RUNS_DIR / str(old.pk), 20)

    assert delete_run_folders(timezone.now()) == 0


# --- the cache -----------------------------------------------------------------------------------


def test_cache_shrinks_by_what_was_used_longest_ago(settings: Any) -> None:
    settings.CACHE_MAX_MIB = 2
    for days_old in (0.5, 2, 3, 4):
        write(settings.CACHE_DIR / f"idle-{days_old}.i420", days_old=days_old, size=2**20)

    assert shrink_cache(timezone.now()) == 2
    assert sorted(path.name for path in settings.CACHE_DIR.iterdir()) == [
        "idle-0.5.i420",
        "idle-2.i420",
    ]
    assert shrink_cache(timezone.now()) == 0


def test_films_that_were_scaled_for_a_show_go_whole(settings: Any) -> None:
    settings.CACHE_MAX_MIB = 2
    for days_old in (0.5, 2, 3):
        folder = settings.CACHE_DIR / f"film-{days_old}"
        write(folder / "masks.npy", days_old=days_old)
        write(folder / "frames.i420", days_old=days_old, size=2**20)
    write(settings.CACHE_DIR / "of-somebody-else" / "notes", days_old=9)
    left_behind = write(settings.CACHE_DIR / ".film-x" / "frames.i420", days_old=4, size=2**20)

    assert shrink_cache(timezone.now()) == 3
    kept = sorted(path.name for path in settings.CACHE_DIR.iterdir())
    assert kept == ["film-0.5", "of-somebody-else"]
    assert not left_behind.exists()
    assert shrink_cache(timezone.now()) == 0


def test_cache_in_use_stays_however_full(settings: Any) -> None:
    settings.CACHE_MAX_MIB = 1
    for number in range(3):
        write(settings.CACHE_DIR / f"{number}.i420", days_old=0.1, size=2**20)

    assert shrink_cache(timezone.now()) == 0


# --- the clock -----------------------------------------------------------------------------------


class Clocks:
    """Wall and monotonic time that a test moves."""

    def __init__(self) -> None:
        self.wall = self.monotonic = 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_clock_is_trusted_after_an_even_hour() -> None:
    clocks = Clocks()
    clock = SteadyClock(lambda: clocks.wall, lambda: clocks.monotonic)

    assert not clock.is_trusted()
    clocks.pass_(3600)
    assert clock.is_trusted()
    clocks.wall += 400 * 86_400  # somebody sets it forward
    assert not clock.is_trusted()
    clocks.pass_(3599)
    assert not clock.is_trusted()
    clocks.pass_(1)
    assert clock.is_trusted()
    clocks.wall -= 400 * 86_400
    assert not clock.is_trusted()
