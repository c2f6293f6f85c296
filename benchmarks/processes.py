"""What processes cost, from /proc: CPU time, and memory with shared pages by their share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MiB. pss: proportional set. data_files: the part of it that maps files of
    a data folder (the idle loop), which the system can drop at any time."""

    pss: float
    data_files: float
    anonymous: float
    shared: float


def cpu_seconds(pid: int) -> float:
    """User and system time since the start of the process, all its threads. Raises OSError."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def children(pid: int) -> list[int]:
    """Every process below `pid`."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents.setdefault(int(_stat(int(path.name))[1]), []).append(int(path.name))
        except (OSError, ValueError):
            continue
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def memory(pid: int, data_folder: str) -> Memory:
    """The memory of a process. Raises OSError when it may not be read."""
    totals = dict.fromkeys(("Pss", "Pss_Anon", "Pss_Shmem"), 0)
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in totals:
            totals[name] = int(rest.split()[0])
    return Memory(
        totals["Pss"] / 1024,
        _mapped_kib(pid, data_folder) / 1024,
        totals["Pss_Anon"] / 1024,
        totals["Pss_Shmem"] / 1024,
    )


def _mapped_kib(pid: int, data_folder: str) -> int:
    """Pss of the mappings whose file lies below `data_folder`."""
    total, is_inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first = line.split(" ", 1)[0]
        if "-" in first and not first.endswith(":"):
            parts = line.split(None, 5)
            is_inside = len(parts) == 6 and parts[5].startswith(data_folder)
        elif is_inside and first == "Pss:":
            total += int(line.split()[1])
    return total


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()
