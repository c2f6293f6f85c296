"""How much memory processes use, shared pages counted by their share."""

from __future__ import annotations

import contextlib
from pathlib import Path

from inference.protocol import Json


def proportional_set_mib(pids: dict[str, int]) -> Json:
    """PSS in MiB by name; what cannot be read (ended, or not Linux) is left out."""
    sizes: Json = {}
    for name, pid in pids.items():
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            sizes[name] = round(sizes.get(name, 0) + int(line.split()[1]) / 1024, 1)
    return sizes
