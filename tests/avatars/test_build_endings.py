"""However a build ends, nothing of it is left behind; only whoever builds it says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from avatars import build_events, builds
from avatars import builder as building
from avatars.builder import AvatarBuilder
from avatars.models import AvatarBuild
from inference.builds import BuildEvent
from metering.models import StoredFile
from metering.services.storage import recount
from tests.avatars.filmed import FACTS, run_builder, upload
from tests.factories import Cast, api_client

pytestmark = [
    pytest.mark.django_db, pytest.mark.database, pytest.mark.usefixtures("unseen_uploads"),
]  # fmt: skip

UPLOADS = site.MEDIA_ROOT / "avatar-uploads"


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    def run(work: Callable[[], Any]) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return work()

    return run


class FinishedJob:
    """A child that has made its bundle and said so before anybody asked."""

    jobs: list[FinishedJob]

    def __init__(self, request: dict[str, Any]) -> None:
        Path(request["out"]).mkdir(parents=True, exist_ok=True)
        self.is_cancelled = self.is_reaped = self.is_let_go = False
        self.events = [BuildEvent("done", FACTS)]
        FinishedJob.jobs.append(self)

    def poll(self) -> list[BuildEvent]:
        events, self.events = self.events, []
        return events

    def cancel(self) -> None:
        self.is_cancelled = True

    def reap(self) -> None:
        self.is_reaped = True

    def let_go(self) -> None:
        self.is_let_go = True


@pytest.fixture
def finished_jobs(monkeypatch: pytest.MonkeyPatch) -> list[FinishedJob]:
    FinishedJob.jobs = []
    monkeypatch.setattr(building, "BuildJob", FinishedJob)
    return FinishedJob.jobs


def kept_uploads() -> int:
    return len(list(UPLOADS.iterdir())) if UPLOADS.is_dir() else 0


def test_film_of_a_cancelled_build_is_not_kept(cast: Cast, committed: Any) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    assert kept_uploads() == 2

    committed(lambda: builds.cancel_build(build=build, actor=cast.alice))

    assert kept_uploads() == 0
    build.refresh_from_db()
    assert (build.state, build.source.name, build.landmarks.name) == ("cancelled", "", "")


def test_film_counts_as_storage_for_as_long_as_it_is_kept(cast: Cast, committed: Any) -> None:
    films = StoredFile.objects.filter(kind="avatar-upload", organization=cast.organization)
    upload(cast)
    first = AvatarBuild.objects.get()
    size = len(b"not a film at all") + len(b"{}")
    run_builder(AvatarBuilder(), first)
    assert (first.state, films.get().size_bytes) == ("failed", size)
    assert recount(is_repaired=False).is_none

    newer = {"file": SimpleUploadedFile("me.mp4", b"not a film either")}
    second = builds.start_build(avatar=first.avatar, uploads=newer, actor=cast.alice)
    committed(lambda: run_builder(AvatarBuilder(), second))
    assert [film.item for film in films.all()] == [str(second.pk)]

    committed(lambda: api_client(cast.alice).delete(f"/api/v1/avatars/{first.avatar_id}/"))
    assert not films.all().exists()
    assert recount(is_repaired=False).is_none


def test_film_of_a_deleted_presenter_is_not_kept(cast: Cast, committed: Any) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    run_builder(AvatarBuilder(), build)
    assert (build.state, kept_uploads()) == ("failed", 2)

    committed(lambda: api_client(cast.alice).delete(f"/api/v1/avatars/{build.avatar_id}/"))

    assert kept_uploads() == 0


def test_only_the_last_film_that_failed_is_kept(cast: Cast, committed: Any) -> None:
    upload(cast)
    first = AvatarBuild.objects.get()
    run_builder(AvatarBuilder(), first)
    film = SimpleUploadedFile("me.mp4", b"not a film either")
    uploads = {"file": film, "landmarks": SimpleUploadedFile("points.json", b"{}")}
    second = builds.start_build(avatar=first.avatar, uploads=uploads, actor=cast.alice)

    committed(lambda: run_builder(AvatarBuilder(), second))

    first.refresh_from_db()
    assert (first.source.name, bool(second.source)) == ("", True)
    assert kept_uploads() == 2


def test_film_of_a_build_that_is_not_queued_is_not_kept(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(builds, "record", fail)

    assert upload(cast).status_code == 500

    assert kept_uploads() == 0


def test_cancelled_while_it_ended_it_leaves_no_bundle(
    cast: Cast, finished_jobs: list[FinishedJob]
) -> None:
    upload(cast)
    builder, build = AvatarBuilder(), AvatarBuild.objects.get()
    builder.look()
    AvatarBuild.objects.update(cancel_asked=True)

    builder.look()

    build.refresh_from_db()
    assert build.state == "cancelled"
    assert finished_jobs[0].is_cancelled


def test_build_that_another_loop_took_over_is_left_to_it(
    cast: Cast, finished_jobs: list[FinishedJob]
) -> None:
    upload(cast)
    asleep, awake, build = AvatarBuilder(), AvatarBuilder(), AvatarBuild.objects.get()
    asleep.look()
    AvatarBuild.objects.update(heartbeat_at="2026-01-01T00:00Z")
    awake.look()
    awake.look()
    build.refresh_from_db()
    assert (build.state, build.attempts) == ("ready", 2)

    asleep.look()

    build.refresh_from_db()
    assert (build.state, len(build.log)) == ("ready", 1)
    assert finished_jobs[0].is_let_go
    assert not finished_jobs[0].is_cancelled
    assert finished_jobs[1].is_reaped
    asleep.close()
    awake.close()


def test_loop_that_ends_gives_no_build_of_another_back(
    cast: Cast, finished_jobs: list[FinishedJob]
) -> None:
    upload(cast)
    asleep, awake = AvatarBuilder(), AvatarBuilder()
    asleep.look()
    AvatarBuild.objects.update(heartbeat_at="2026-01-01T00:00Z")
    awake.look()

    asleep.close()

    build = AvatarBuild.objects.get()
    assert (build.state, build.attempts) == ("building", 2)
    assert finished_jobs[0].is_let_go


def test_end_that_the_database_could_not_take_is_written_when_it_can(
    cast: Cast, finished_jobs: list[FinishedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(cast)
    builder, build = AvatarBuilder(), AvatarBuild.objects.get()
    builder.look()
    troubles = [OperationalError("the database is away")]

    def record(*arguments: Any, **options: Any) -> None:
        if troubles:
            raise troubles.pop()

    monkeypatch.setattr(build_events, "record", record)
    with pytest.raises(OperationalError):
        builder.look()
    build.refresh_from_db()
    assert build.state == "building"

    assert builder.look()

    build.refresh_from_db()
    assert (build.state, len(build.log)) == ("ready", 1)
    assert finished_jobs[0].is_reaped


@pytest.mark.parametrize(
    "event",
    [
        BuildEvent("progress", {"stage": "frames"}),
        BuildEvent("progress", {"stage": "frames", "progress": float("nan")}),
        BuildEvent("done", {"clips": 5}),
        BuildEvent("refused", {"code": "odd"}),
        BuildEvent("shouted", {}),
    ],
    ids=["no-progress", "no-number", "no-clips", "no-words", "no-kind"],
)
def test_build_that_says_what_no_row_can_take_has_failed(
    cast: Cast, finished_jobs: list[FinishedJob], event: BuildEvent
) -> None:
    upload(cast)
    builder, build = AvatarBuilder(), AvatarBuild.objects.get()
    builder.look()
    finished_jobs[0].events = [event, BuildEvent("done", FACTS)]

    assert not builder.look()

    build.refresh_from_db()
    assert (build.state, build.reason) == ("failed", build_events.BROKE_DOWN)
    assert build.avatar.state == "failed"
    assert finished_jobs[0].is_cancelled


def test_end_that_the_database_takes_never_is_a_failed_one(
    cast: Cast, finished_jobs: list[FinishedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL refuses half a character with the error that it has when it is away."""
    apply_event = build_events.apply_event

    def refuse(build: AvatarBuild, event: BuildEvent) -> None:
        if event.kind == "done":
            raise OperationalError(3140, "Invalid JSON text")
        apply_event(build, event)

    monkeypatch.setattr(build_events, "apply_event", refuse)
    upload(cast)
    builder, build = AvatarBuilder(), AvatarBuild.objects.get()
    builder.look()
    for _ in range(building.MAX_WRITES - 1):
        with pytest.raises(OperationalError):
            builder.look()

    assert not builder.look()

    build.refresh_from_db()
    assert (build.state, build.reason) == ("failed", build_events.BROKE_DOWN)


def test_finished_build_stays_finished_when_its_film_cannot_be_deleted(
    cast: Cast, finished_jobs: list[FinishedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_event = build_events.apply_event

    def fail_behind_the_commit(build: AvatarBuild, event: BuildEvent) -> None:
        apply_event(build, event)
        raise OSError("the disk is read-only")

    upload(cast)
    builder, build = AvatarBuilder(), AvatarBuild.objects.get()
    builder.look()
    monkeypatch.setattr(build_events, "apply_event", fail_behind_the_commit)

    assert builder.look()

    build.refresh_from_db()
    assert build.state == "ready"
    assert finished_jobs[0].is_reaped
    assert not finished_jobs[0].is_cancelled
