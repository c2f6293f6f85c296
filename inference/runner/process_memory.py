"""How much memory processes use, shared pages counted by their share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from inference.protocol import Json


def proportional_set_mib(processes: Iterable[tuple[str, int]]) -> Json:
    """PSS in MiB by kind; what cannot be read (ended, or not Linux) is left out.

    processes: (kind, pid); a broadcast has a pusher for each of its targets.
    """
    sizes: Json = {}
    for kind, pid in processes:
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            sizes[kind] = round(sizes.get(kind, 0) + int(line.split()[1]) / 1024, 1)
    return sizes
