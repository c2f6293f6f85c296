"""The chores of accounts, in a child of the control loop: they take too long for a round."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings

from accounts.models import OrganizationExport
from inference.background import start_behind
from livestudio.common.log import get_logger

log = get_logger(__name__)

SWEEP_SECONDS: Final = 600.0


class ChoreRunner:
    """Runs `manage.py do_chores` when there is something to do; `look` never waits."""

    def __init__(
        self,
        on_swept: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[str | None], subprocess.Popen[bytes]] | None = None,
    ) -> None:
        """on_swept: called in `look` after a sweep that ended well."""
        self._on_swept, self._clock, self._start = on_swept, clock, start or _start
        self._child: subprocess.Popen[bytes] | None = None
        self._is_sweep = False
        self._swept_at = clock()

    def look(self, *, may_delete: bool) -> None:
        """Start the child when none runs and an export waits or the sweep is due."""
        if self._child is not None and self._child.poll() is None:
            return
        if self._child is not None:
            self._ended(self._child.returncode)
        self._child = None
        is_due = may_delete and self._clock() - self._swept_at >= SWEEP_SECONDS
        waits = OrganizationExport.objects.exclude(
            state__in=(OrganizationExport.State.READY, OrganizationExport.State.FAILED)
        )
        if is_due or waits.exists():
            self._child, self._is_sweep = self._start("--delete" if is_due else None), is_due
        if is_due:
            self._swept_at = self._clock()

    def _ended(self, exit_status: int) -> None:
        if exit_status != 0:
            log.warning("chores failed", exit_status=exit_status)
        elif self._is_sweep:
            self._on_swept()

    def close(self) -> None:
        """End the child; what it did not finish is begun again."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def _start(option: str | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "do_chores"]
    return start_behind(
        [*command, option] if option else command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
    )
