"""What dead runners leave behind on this host: shared memory; and logs that grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from inference.launchers.local import LOG_NAME, trim_log
from inference.services import active_runners, run_folder
from streams.models import Broadcast

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where Linux keeps it; names hold our ids
PREFIX: Final = "livestudio-"
_UUID_CHARACTERS: Final = 36


def reap_shared_memory(folder: Path = SHARED_MEMORY) -> int:
    """Remove frame rings of broadcasts of this database that have no process; how many."""
    found = dict(_rings(folder))
    ours = Broadcast.objects.filter(pk__in=set(found.values())).values_list("pk", flat=True)
    # Another installation on this host has ids that this database does not know: never touched.
    dead = set(ours) - set(active_runners().values_list("broadcast", flat=True))
    orphans = [path for path, broadcast in found.items() if broadcast in dead]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def trim_logs() -> None:
    """Keep the logs of the runners at work within their bound."""
    for broadcast in active_runners().values_list("broadcast", flat=True):
        trim_log(run_folder(broadcast) / LOG_NAME)


def _rings(folder: Path) -> Iterator[tuple[Path, UUID]]:
    for path in folder.glob(f"{PREFIX}*"):
        text = path.name.removeprefix(PREFIX)[:_UUID_CHARACTERS]
        try:
            yield path, UUID(text)
        except ValueError:
            continue
