"""Processes for work that nobody on air waits for: they get what the shows leave over."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

# A tenth of what a show gets where both want all: it goes on, and a show hardly notices.
NICE: Final = 10


def start_behind(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, behind all others.

    options: as `subprocess.Popen`. Raises OSError when it cannot be started.
    """
    child = subprocess.Popen(command, start_new_session=True, **options)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
    # Where the kernel shares time between sessions first (sched(7), "The autogroup feature": most
    # desktops), niceness counts within a session only, and a build took as much as a broadcast.
    with contextlib.suppress(OSError):
        Path(f"/proc/{child.pid}/autogroup").write_text(str(NICE))
    return child
