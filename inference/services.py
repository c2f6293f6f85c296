"""Runners as rows: launch one, look whether it lives, stop it. Nothing here restarts anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Max, QuerySet
from django.utils import timezone

from inference.launchers.base import Handle, Launcher, LaunchError, LaunchRequest, Poll
from inference.launchers.local import LocalLauncher
from inference.models import Node, Runner, RunnerState
from inference.tokens import make_run_token

EXIT_REASON_CHARACTERS: Final = 300
# A launch that has no handle after this long died with the loop that began it.
LAUNCH_GRACE_SECONDS: Final = 15.0


def build_launcher(*, life_fd: int | None = None) -> Launcher:
    """The launcher that the settings name. Raises ImproperlyConfigured for one not built in."""
    if settings.LAUNCHER != "local":
        raise ImproperlyConfigured(
            f"LAUNCHER={settings.LAUNCHER} is not part of this version; use LAUNCHER=local."
        )
    return LocalLauncher(settings.BASE_DIR, life_fd=life_fd)


def run_folder(broadcast: UUID | str) -> Path:
    """Where the runner of a broadcast keeps its outbox, journal and log."""
    return Path(settings.RUNS_DIR) / str(broadcast)


def open_runner(*, launcher: Launcher, broadcast: UUID, lease_epoch: int) -> Runner:
    """The row of a launch, in the transaction that claims the epoch; the process comes after.

    Raises IntegrityError when this epoch was launched before.
    """
    return Runner.objects.create(
        broadcast=broadcast,
        lease_epoch=lease_epoch,
        launcher=launcher.name,
        started_at=timezone.now(),
    )


def start_runner(*, launcher: Launcher, runner: Runner) -> None:
    """Start the process of an opened launch. Raises LaunchError.

    Its handle is recorded before it gets its token: no process runs that nobody knows.
    """
    broadcast = str(runner.broadcast)
    request = LaunchRequest(
        broadcast=broadcast,
        lease_epoch=runner.lease_epoch,
        token=make_run_token(broadcast, runner.lease_epoch),
        web_url=settings.RUNNER_LINK_URL,
        run_folder=str(run_folder(broadcast)),
    )
    launcher.start(request, lambda handle: _record(runner, handle))


def forget_runners(broadcasts: Sequence[str]) -> None:
    """Drop the rows of every launch of these broadcasts."""
    Runner.objects.filter(broadcast__in=broadcasts).delete()


def active_runners() -> QuerySet[Runner]:
    """Launches that have not ended."""
    return Runner.objects.exclude(state=RunnerState.ENDED)


def poll_runner(launcher: Launcher, runner: Runner) -> Poll:
    """Whether the process of this launch lives; a launch that never got a process is dead."""
    if runner.handle:
        return launcher.poll(runner.handle)
    age_seconds = (timezone.now() - runner.started_at).total_seconds()
    if age_seconds < LAUNCH_GRACE_SECONDS:
        return Poll("unknown", "being launched")
    return Poll("dead", "it was never started")


def stop_runner(launcher: Launcher, runner: Runner, *, is_forced: bool) -> None:
    """Ask the process to drain, or end it at once; the row ends when its death is seen."""
    if runner.handle:
        launcher.stop(runner.handle, is_forced=is_forced)
    if runner.stop_asked_at is None:
        runner.stop_asked_at = timezone.now()
        runner.save(update_fields=["stop_asked_at", "updated_at"])


def end_runner(runner: Runner, reason: str) -> bool:
    """Note that the process is gone, once: True for the one who noted it."""
    rows = active_runners().filter(pk=runner.pk)
    return (
        rows.update(
            state=RunnerState.ENDED,
            ended_at=timezone.now(),
            exit_reason=reason[:EXIT_REASON_CHARACTERS],
        )
        == 1
    )


def note_live(broadcast: UUID, lease_epoch: int, at: datetime) -> None:
    """This launch has put its broadcast on air."""
    rows = Runner.objects.filter(broadcast=broadcast, lease_epoch=lease_epoch, live_at=None)
    rows.update(live_at=at)


def has_been_live(broadcast: UUID, lease_epoch: int) -> bool:
    """Whether this launch has put its broadcast on air before."""
    rows = Runner.objects.filter(broadcast=broadcast, lease_epoch=lease_epoch)
    return rows.filter(live_at__isnull=False).exists()


def note_node(name: str) -> None:
    """The control loop of this machine is at work."""
    Node.objects.update_or_create(name=name, defaults={"last_seen_at": timezone.now()})


def note_chores(name: str) -> None:
    """A sweep of old rows ended well on this machine."""
    Node.objects.filter(name=name).update(chores_at=timezone.now())


def last_chores() -> datetime | None:
    """When a sweep of old rows ended well last; None if there never was one."""
    newest: datetime | None = Node.objects.aggregate(at=Max("chores_at"))["at"]
    return newest


def last_seen_control_loop() -> datetime | None:
    """When any control loop was at work last; None if there never was one."""
    return Node.objects.order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()


def _record(runner: Runner, handle: Handle) -> None:
    """Raises LaunchError when the launch took so long that another loop has given it up."""
    rows = active_runners().filter(pk=runner.pk)
    now = timezone.now()
    if not rows.update(handle=handle, state=RunnerState.RUNNING, updated_at=now):
        raise LaunchError("it took so long to start that another launch has taken its place")
    runner.handle, runner.state = handle, RunnerState.RUNNING
