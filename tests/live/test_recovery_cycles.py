"""A hundred broadcasts one after the other: what they took is given back."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from streams.services.reaping import SHARED_MEMORY
from tests.live.site import Processes, wait_until
from tests.live.studio import Studio, open_studio

pytestmark = [pytest.mark.live, pytest.mark.long]

AT_ONCE = 5
WARM_ROUNDS = 2
ROUNDS = 20
# Of caches and pools that fill up; what leaked once a broadcast would be ninety.
GROWTH = 8
_PROGRAM = re.compile(r"daphne|run_control|up|[a-z_]+(\.[a-z_]+)+")


@dataclass(frozen=True, slots=True)
class Held:
    """What an installation holds. listeners, threads and files: summed over its processes."""

    commands: Counter[str]
    threads: int
    files: int
    listeners: int
    shared: frozenset[str]
    temporary: frozenset[str]


def test_hundred_starts_and_stops_leave_nothing_behind(tmp_path: Path) -> None:
    with open_studio(TMPDIR=str(tmp_path)) as studio:
        shows = [
            studio.make_small_show("One.", "Two.", rundown_mode="loop", record=True)
            for _ in range(AT_ONCE)
        ]
        broadcasts: list[str] = []
        for _ in range(WARM_ROUNDS):
            broadcasts += _start_and_stop(studio, shows)
        before = _held(studio, tmp_path)
        for _ in range(ROUNDS - WARM_ROUNDS):
            broadcasts += _start_and_stop(studio, shows)
        after = _held(studio, tmp_path)

        assert len(set(broadcasts)) == AT_ONCE * ROUNDS == 100
        assert after.commands == before.commands
        assert after.threads <= before.threads + GROWTH
        assert after.files <= before.files + GROWTH
        assert after.listeners == before.listeners
        assert not after.shared
        assert after.temporary == before.temporary
        for broadcast in broadcasts:
            _check_folders(studio, broadcast)


def _start_and_stop(studio: Studio, shows: list[str]) -> list[str]:
    platform = studio.platform
    broadcasts = [str(platform.call("POST", f"shows/{show}/start/", {})["id"]) for show in shows]
    for broadcast in broadcasts:
        # Recording too: the last of its processes is there.
        platform.wait_for(broadcast, lambda row: len(_workers(row)) == 3, "on air", 120)
        assert list(SHARED_MEMORY.glob(f"livestudio-{broadcast}-*"))
    pids = [int(platform.broadcast(broadcast)["runner"]["pid"]) for broadcast in broadcasts]
    for broadcast in broadcasts:
        platform.call("POST", f"broadcasts/{broadcast}/stop/", {"when": "now"})
    for broadcast in broadcasts:
        studio.site.wait_for_state(broadcast, "ended")
    wait_until(lambda: not Processes(*pids).alive, "every runner has exited")
    wait_until(lambda: _has_spare(studio), "the next runner waits loaded")
    return broadcasts


def _workers(row: dict[str, object]) -> list[object]:
    runner = row.get("runner") or {}
    assert isinstance(runner, dict)
    return list(runner.get("workers", ()))


def _has_spare(studio: Studio) -> bool:
    return "inference.runner" in _commands(studio)


def _commands(studio: Studio) -> Counter[str]:
    """What runs below `up`, by the module or program that each process runs."""
    return Counter(_name(pid) for pid in Processes(studio.up.pid).alive)


def _name(pid: int) -> str:
    words = _read(pid, "cmdline").split("\0")
    found = [word for word in words if _PROGRAM.fullmatch(word)]
    return found[-1] if found else " ".join(words)


def _held(studio: Studio, temporary: Path) -> Held:
    pids = list(Processes(studio.up.pid).alive)
    ids = [str(UUID(row[0])) for row in studio.site.query("SELECT id FROM streams_broadcast")]
    own = re.compile("|".join(ids))
    return Held(
        commands=_commands(studio),
        threads=sum(len(_entries(pid, "task")) for pid in pids),
        files=sum(len(_entries(pid, "fd")) for pid in pids),
        listeners=sum(_listeners(pid) for pid in pids),
        shared=frozenset(path.name for path in SHARED_MEMORY.iterdir() if own.search(path.name)),
        temporary=frozenset(path.name for path in temporary.iterdir()),
    )


def _listeners(pid: int) -> int:
    """Sockets of a process that listen (TCP) or are bound (UDP)."""
    inodes = set()
    for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        lines = _read(pid, f"net/{kind}").splitlines()[1:]
        inodes |= {line.split()[9] for line in lines if line.split()[3] == state}
    links = (_link(pid, entry) for entry in _entries(pid, "fd"))
    return sum(link.removeprefix("socket:[").removesuffix("]") in inodes for link in links)


def _check_folders(studio: Studio, broadcast: str) -> None:
    """What stays of a broadcast is its recording and what its runner wrote, no half-made file."""
    run = {path.name for path in (studio.site.folder / "runs" / broadcast).iterdir()}
    assert run <= {"outbox.jsonl", "outbox.lock", "commands.jsonl", "runner.log"}, run
    recordings = list((studio.site.folder / "recordings" / broadcast).iterdir())
    assert [path.suffix for path in recordings] == [".mp4"]


def _entries(pid: int, folder: str) -> list[str]:
    try:
        return [path.name for path in Path(f"/proc/{pid}/{folder}").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _link(pid: int, descriptor: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
