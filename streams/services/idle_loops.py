"""Idle loops drawn before anybody is on air: each look of a show is built once on this host."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from avatars.bundles import engine_settings
from avatars.models import Avatar
from inference.background import start_behind
from inference.catalog import get_profile
from inference.protocol import SAMPLE_RATE_HZ
from livestudio.common.log import get_logger
from streams.models import Show
from streams.services.pictures import background_of

log = get_logger(__name__)


def build_arguments(
    *, engine: str, avatar_settings: dict[str, Any], profile: str, background: str
) -> tuple[str, ...]:
    """Arguments of Python that draw the idle loop of a look; quick when it is drawn already."""
    size = get_profile(profile)
    values = {
        "--engine": engine,
        "--width": size.width_px,
        "--height": size.height_px,
        "--frame-samples": SAMPLE_RATE_HZ // size.frames_per_second,
        "--background": background,
        "--settings": json.dumps(avatar_settings, sort_keys=True),
        "--cache": settings.CACHE_DIR,
    }
    pairs = ((name, str(value)) for name, value in values.items())
    return ("-m", "inference.engines.face.build", *(text for pair in pairs for text in pair))


class IdleLoopBuilder:
    """Draws the loops that shows need, one at a time and at the lowest priority.

    `look` is called now and then by the control loop and never waits.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, ...]] = set()
        self._files = _files()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_urgent = False

    def hurry(self) -> None:
        """A presenter has a new version: until all loops are drawn, `go_on` looks too."""
        self._is_urgent = True

    def go_on(self) -> None:
        """Called every second; costs nothing unless there is a hurry."""
        if self._is_urgent:
            self.look()

    def look(self) -> None:
        """Start the next build when none runs."""
        if self._child is not None and self._child.poll() is None:
            return
        if self._child is not None and self._child.returncode != 0:
            log.warning("an idle loop could not be drawn", exit_status=self._child.returncode)
        self._notice_changes(is_ours=self._child is not None)
        arguments = next((item for item in _looks() if item not in self._seen), None)
        self._is_urgent = self._is_urgent and arguments is not None
        self._child = None if arguments is None else self._start(arguments)

    def _notice_changes(self, *, is_ours: bool) -> None:
        """A loop that somebody else changed or deleted may be damaged: look at all again."""
        files = _files()
        if files != self._files and not is_ours:
            self.forget()
        self._files = files

    def forget(self) -> None:
        """Look at every loop again: some may have been deleted."""
        self._seen.clear()

    def close(self) -> None:
        """End a build; half a loop is never left behind, the builder renames when it is whole."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        self._seen.add(arguments)
        return start_behind(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=settings.BASE_DIR,
        )


def _files() -> set[tuple[str, int, int]]:
    """Name, size and time of every drawn loop on this host."""
    found = set()
    for path in Path(settings.CACHE_DIR).glob("idle-*"):
        with contextlib.suppress(FileNotFoundError):  # replaced in this moment
            facts = path.stat()
            found.add((path.name, facts.st_size, facts.st_mtime_ns))
    return found


def _looks() -> Iterator[tuple[str, ...]]:
    """Each look once: thousands of shows have few, and this is asked every few seconds."""
    # What is being built has no pictures yet.
    shows = Show.objects.filter(archived_at=None, avatar__state=Avatar.State.READY).order_by()
    looks = list(shows.values_list("avatar", "profile", "background").distinct())
    avatars = Avatar.objects.in_bulk({key for key, _profile, _background in looks})
    told = {key: engine_settings(avatar) for key, avatar in avatars.items()}
    grounds = {value: background_of(value) for value in {look[2] for look in looks}}
    for key, profile, background in looks:
        if key in avatars:  # not deleted in this moment
            yield build_arguments(
                engine=avatars[key].engine,
                avatar_settings=told[key],
                profile=profile,
                background=grounds[background],
            )
