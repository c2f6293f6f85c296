"""Launching runners: each lease epoch is claimed once, however many control loops look."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from inference.launchers.base import Launcher, LaunchError
from inference.models import Runner
from inference.services import end_runner, open_runner, start_runner
from livestudio.common.log import get_logger
from streams.models import Broadcast, BroadcastState, DesiredState
from streams.poke import poke_consoles
from streams.services.lifecycle import finish_broadcast
from streams.services.whep import forget_all
from streams.states import move

log = get_logger(__name__)

# After the n-th launch in a row that failed; jittered by half, so that many do not come at once.
BACK_OFF_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
# No pause is longer. A launch planned for later than this was timed by a clock that was wrong.
_LONGEST_PAUSE: Final = timedelta(seconds=1.5 * BACK_OFF_SECONDS[-1])
MAX_LAUNCHES: Final = len(BACK_OFF_SECONDS) + 1
# A runner that was on air this long counts as healthy: its end begins a new row of launches.
SETTLED_SECONDS: Final = 30.0
# Until its first heartbeat a runner may load its voice and face.
FIRST_LEASE_SECONDS: Final = 30.0
LAUNCHABLE: Final = (BroadcastState.STARTING, BroadcastState.RECOVERING)


def launch_due(launcher: Launcher) -> int:
    """Launch what is due and not claimed by another loop; how many were launched."""
    # Each is claimed in its turn: one that waited behind others would be taken for never started.
    due = _due(timezone.now())
    claimed = (_claim(launcher, broadcast) for broadcast in due)
    return sum(_start(launcher, runner) for runner in claimed if runner is not None)


def plan_relaunch(broadcast: Broadcast, runner: Runner | None, reason: str) -> None:
    """Launch again after a pause that grows, or give up. Call it in a transaction.

    runner: the launch that ended, None when none is known.
    """
    attempts = 0 if _was_settled(runner) else broadcast.launch_attempts
    if attempts >= MAX_LAUNCHES:
        told = f"The presenter's process ended {attempts} times in a row; the last time: {reason}."
        finish_broadcast(broadcast=broadcast, state="failed", reason=told)
        return
    pause_seconds = BACK_OFF_SECONDS[max(0, attempts - 1)] * random.uniform(0.5, 1.5)
    rows = Broadcast.objects.filter(
        pk=broadcast.pk, lease_epoch=broadcast.lease_epoch, state__in=_NOT_ENDING
    )
    rows.update(
        launch_attempts=attempts,
        next_launch_at=timezone.now() + timedelta(seconds=pause_seconds),
    )
    if broadcast.state == BroadcastState.LIVE or broadcast.first_frame_at is not None:
        told = f"The presenter's process ended ({reason}); it is being started again."
        move(broadcast, BroadcastState.RECOVERING, told)
    transaction.on_commit(lambda: poke_consoles(broadcast.pk))


_NOT_ENDING: Final = (*LAUNCHABLE, BroadcastState.LIVE)


def _due(now: datetime) -> list[Broadcast]:
    never_launched = Q(lease_epoch=0, state=BroadcastState.STARTING)
    rows = Broadcast.objects.filter(state__in=LAUNCHABLE, desired_state=DesiredState.RUNNING)
    is_due = Q(next_launch_at__lte=now) | Q(next_launch_at__gt=now + _LONGEST_PAUSE)
    return list(rows.filter(never_launched | is_due).order_by("created_at"))


def _claim(launcher: Launcher, broadcast: Broadcast) -> Runner | None:
    """Compare-and-set on the epoch: of many loops one gets the runner's row, the others None."""
    epoch = broadcast.lease_epoch
    rows = Broadcast.objects.filter(
        pk=broadcast.pk,
        lease_epoch=epoch,
        state__in=LAUNCHABLE,
        desired_state=DesiredState.RUNNING,
    )
    with transaction.atomic():
        changed = rows.update(
            lease_epoch=epoch + 1,
            launch_attempts=F("launch_attempts") + 1,
            next_launch_at=None,
            lease_expires_at=timezone.now() + timedelta(seconds=FIRST_LEASE_SECONDS),
        )
        if changed != 1:
            return None
        forget_all(broadcast.pk)
        return open_runner(launcher=launcher, broadcast=broadcast.pk, lease_epoch=epoch + 1)


def _start(launcher: Launcher, runner: Runner) -> bool:
    try:
        start_runner(launcher=launcher, runner=runner)
    except LaunchError as error:
        log.warning("launch failed", broadcast_id=str(runner.broadcast), reason=str(error))
        with transaction.atomic():
            # Ended before, it was taken over: whoever did that has planned what follows.
            if end_runner(runner, str(error)):
                plan_relaunch(Broadcast.objects.get(pk=runner.broadcast), runner, str(error))
        return False
    log.info("runner launched", broadcast_id=str(runner.broadcast), lease_epoch=runner.lease_epoch)
    return True


def _was_settled(runner: Runner | None) -> bool:
    if runner is None or runner.live_at is None:
        return False
    return (timezone.now() - runner.live_at).total_seconds() > SETTLED_SECONDS
