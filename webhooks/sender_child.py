"""The sender as a child of the control loop: there while something is to be sent, then no more."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.utils import timezone

from livestudio.common.log import get_logger
from webhooks.services.deliveries import is_anything_due

log = get_logger(__name__)

# It stays for what comes next: a start costs more than an idle quarter of an hour.
IDLE_SECONDS: Final = 900
# After one that died, so that a fault does not fill the machine with starts.
PAUSE_SECONDS: Final = 10.0
END_SECONDS: Final = 2.0


class SenderChild:
    """Runs `manage.py run_webhooks` when there is something to send; `look` never waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def look(self) -> None:
        """Start the child when none runs and a delivery is due."""
        if self._child is not None and self._child.poll() is None:
            return
        if self._child is not None:
            self._bury(self._child)
        if self._clock() >= self._not_before and is_anything_due(timezone.now()):
            self._child = _start()

    def close(self) -> None:
        """End the child; what it did not finish is sent again by the next, with the same id."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._bury(self._child)

    def _bury(self, child: subprocess.Popen[bytes]) -> None:
        if child.returncode != 0:
            log.warning("webhook sender ended", exit_status=child.returncode)
            self._not_before = self._clock() + PAUSE_SECONDS
        if child.stdin is not None:
            child.stdin.close()
        self._child = None


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_webhooks"]
    return subprocess.Popen(
        # Its stdin ends when we do, however that happens.
        [*command, "--life-fd", "0", "--idle-seconds", str(IDLE_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        start_new_session=True,
    )
