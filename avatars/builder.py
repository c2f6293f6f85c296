"""Builds what waits, one at a time and the organizations in turn, beside the control loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from avatars import build_events
from avatars.bundles import bundle_folder, weights_folder
from avatars.models import AvatarBuild
from inference.builds import BuildEvent, BuildJob
from livestudio.common.log import get_logger

log = get_logger(__name__)

# A build whose loop has not been heard of for so long is begun again by another.
LOST_SECONDS: Final = 60.0
MAX_ATTEMPTS: Final = 3
# One a second, each with the database answering a moment before.
MAX_WRITES: Final = 30
_BROKEN: Final = BuildEvent("refused", {"code": "build_failed", "message": build_events.BROKE_DOWN})


class AvatarBuilder:
    """`look` is called every second by the control loop and never waits for a build."""

    def __init__(self) -> None:
        self._job: BuildJob | None = None
        self._build: AvatarBuild | None = None
        # What the job has said and the database has not taken yet.
        self._unwritten: list[BuildEvent] = []
        self._failed_writes = 0

    def look(self) -> bool:
        """Note what the running build says, or begin the next one. True: a version was finished."""
        if self._job is None or self._build is None:
            _take_back_lost()
            self._begin_next()
            return False
        build = self._build
        self._follow(self._job, build)
        return build.state == AvatarBuild.State.READY

    def close(self) -> None:
        """End the running build; it is begun again by the next loop."""
        if self._job is None or self._build is None:
            return
        job, build = self._job, self._build
        self._job = self._build = None
        if not _claimed(build).exists():
            job.let_go()
            return
        job.cancel()
        _claimed(build).update(state=AvatarBuild.State.QUEUED)

    def _begin_next(self) -> None:
        waiting = AvatarBuild.objects.filter(state=AvatarBuild.State.QUEUED)
        build = _next_in_turn(waiting)
        if build is None:
            return
        claimed = waiting.filter(pk=build.pk).update(
            state=AvatarBuild.State.BUILDING,
            attempts=F("attempts") + 1,
            heartbeat_at=timezone.now(),
        )
        if not claimed:
            return  # another loop was quicker
        build.refresh_from_db()
        self._build, self._job, self._unwritten = build, BuildJob(_request(build)), []
        log.info("building an avatar", build_id=str(build.pk))

    def _follow(self, job: BuildJob, build: AvatarBuild) -> None:
        if not AvatarBuild.objects.filter(pk=build.pk).exists():
            job.cancel()  # its avatar was deleted
            self._job = self._build = None
            return
        if not _claimed(build).exists():
            # We stood still for so long that another loop has begun it again.
            job.let_go()
            self._job = self._build = None
            return
        # Whole: what could not be written is in memory all the same.
        build.refresh_from_db(fields=None if self._unwritten else ["cancel_asked", "state"])
        if build.cancel_asked:
            job.cancel()
            build_events.cancelled(build)
            self._job = self._build = None
            return
        self._write(job, build)
        _claimed(build).update(heartbeat_at=timezone.now())

    def _write(self, job: BuildJob, build: AvatarBuild) -> None:
        """What the job has said since. While the database is away it waits: it is said once."""
        self._unwritten = _newest_progress([*self._unwritten, *job.poll()])
        while self._unwritten:
            event = self._unwritten[0]
            try:
                build_events.apply_event(build, event)
            except Exception as error:
                self._failed_writes += 1
                # MySQL says both so: that it is away, and that it cannot take a character.
                is_away = isinstance(error, OperationalError | InterfaceError)
                if is_away and self._failed_writes < MAX_WRITES:
                    raise
                self._give_up(job, build, error)
                return
            del self._unwritten[0]
            self._failed_writes = 0
            if event.kind != "progress":
                log.info("an avatar's build ended", build_id=str(build.pk), how=event.kind)
                self._end(job.reap if event.kind == "done" else job.cancel)
                return

    def _give_up(self, job: BuildJob, build: AvatarBuild, error: Exception) -> None:
        """What was said cannot be written, now or later: without an end it would run for ever."""
        log.error("a build said what no row can take", build_id=str(build.pk), exc_info=error)
        # First: with the database away for a moment this is what is still to be written.
        self._unwritten = [_BROKEN]
        build.refresh_from_db()
        if not build.is_over:
            build_events.apply_event(build, _BROKEN)
        # Written and then failed: the files of a version that is ready stay.
        is_ready = build.state == AvatarBuild.State.READY
        self._end(job.reap if is_ready else job.cancel)

    def _end(self, leave: Callable[[], None]) -> None:
        """The build is over in the database. leave: what becomes of its child and its files."""
        self._job = self._build = None
        self._unwritten, self._failed_writes = [], 0
        leave()


def _next_in_turn(waiting: QuerySet[AvatarBuild]) -> AvatarBuild | None:
    """The oldest of the organization whose last turn was longest ago.

    By age alone five films of one customer, an hour each, would come before anybody else's.
    """
    others = AvatarBuild.objects.filter(avatar__organization=OuterRef("avatar__organization"))
    begun = others.exclude(state=AvatarBuild.State.QUEUED).order_by("-heartbeat_at")
    last = begun.filter(heartbeat_at__isnull=False).values("heartbeat_at")[:1]
    in_turn = waiting.annotate(last_turn=Subquery(last)).select_related("avatar__organization")
    return in_turn.order_by(F("last_turn").asc(nulls_first=True), "created_at").first()


def _request(build: AvatarBuild) -> dict[str, Any]:
    landmarks = build.landmarks.path if build.landmarks else None
    return {
        "engine": build.engine,
        "settings": {**build.settings, "weights": str(weights_folder())},
        "source": build.source.path if build.source else os.devnull,
        "landmarks": landmarks,
        "out": str(bundle_folder(build)),
        "cache_folder": str(settings.CACHE_DIR),
        "options": build.options,
    }


def _take_back_lost() -> None:
    """Builds whose loop has died."""
    limit = timezone.now() - timedelta(seconds=LOST_SECONDS)
    lost = AvatarBuild.objects.filter(state=AvatarBuild.State.BUILDING, heartbeat_at__lt=limit)
    lost.filter(attempts__lt=MAX_ATTEMPTS).update(state=AvatarBuild.State.QUEUED)
    for build in lost.select_related("avatar__organization"):
        message = "The builder died over this film again and again."
        refused = {"code": "build_failed", "message": message}
        build_events.apply_event(build, BuildEvent("refused", refused))


def _newest_progress(events: list[BuildEvent]) -> list[BuildEvent]:
    """Percentages come many times a second: of each stage the last, and all that have words."""
    kept = []
    for number, event in enumerate(events):
        following = events[number + 1] if number + 1 < len(events) else None
        is_passed = (
            following is not None
            and event.kind == following.kind == "progress"
            and event.data["stage"] == following.data["stage"]
            and not event.data.get("message")
        )
        if not is_passed:
            kept.append(event)
    return kept


def _claimed(build: AvatarBuild) -> QuerySet[AvatarBuild]:
    """Its row, while it is the attempt that this loop began."""
    return AvatarBuild.objects.filter(
        pk=build.pk, state=AvatarBuild.State.BUILDING, attempts=build.attempts
    )
