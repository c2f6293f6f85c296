"""What higher layers bring in; filled by `livestudio.wiring`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Level = Literal["warning", "reached"]


@dataclass(frozen=True, slots=True)
class Passed:
    """Most (warning) or all (reached) of a quota is used up. used, limit: in shown units."""

    organization: UUID
    meter: str
    level: Level
    used: float
    limit: float
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileFound:
    """A file on the disk, as `recount_storage` finds it."""

    organization: UUID
    kind: str
    item: str
    size_bytes: int


# Called after the commit that passed 80 % or all of a quota, once in its period. What goes outside
# (webhooks) is told in that transaction, by `accounts.events`.
QUOTA_WARNED: list[Callable[[Passed], None]] = []
QUOTA_REACHED: list[Callable[[Passed], None]] = []

# How many there are of what has no period, by meter.
PRESENT: dict[str, Callable[[UUID], int]] = {}

# Every file that takes up storage.
STORED_FILES: list[Callable[[], Iterator[FileFound]]] = []
