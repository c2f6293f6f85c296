"""What higher layers do when something happens here; filled by `livestudio.wiring`.

Plain lists of functions instead of signals: reading `wiring.py` tells all that happens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from accounts.models import Consent, Organization


@dataclass(frozen=True, slots=True)
class Happening:
    """One event for the outside: its type, its data with the organization's id, and when."""

    organization: UUID
    kind: str
    data: dict[str, Any]
    at: datetime


# Called inside the transaction that makes the organization.
ORGANIZATION_CREATED: list[Callable[[Organization], None]] = []


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder with files of one organization. archive: its name in an export; empty = left out."""

    path: Path
    archive: str = ""


# What keeps an organization from being deleted now, in words for its owner.
ORGANIZATION_OBSTACLES: list[Callable[[Organization], list[str]]] = []

# Folders outside of MEDIA_ROOT, exported and deleted with the organization.
ORGANIZATION_FOLDERS: list[Callable[[Organization], list[OwnedFolder]]] = []

# Called before the rows of an organization are deleted, for what no foreign key ties to it.
ORGANIZATION_DELETED: list[Callable[[Organization], None]] = []

# Called after the commit that revoked a consent.
CONSENT_REVOKED: list[Callable[[Consent], None]] = []

# Tells which of these ids are shows of the organization.
FIND_SHOWS: list[Callable[[Organization, list[str]], set[str]]] = []


@dataclass(frozen=True, slots=True)
class NamedShow:
    """A show as it is chosen from a list. id: as `FIND_SHOWS` takes it."""

    id: str
    title: str
    organization: Organization
    is_archived: bool


# The shows of these organizations by title, archived ones too.
LIST_SHOWS: list[Callable[[Iterable[Organization]], list[NamedShow]]] = []

# Called with credentials (see `accounts.credentials`) after the commit that ended them, or took a
# right from who signed in with them: whatever is open with one asks for its right again.
SIGN_INS_CHANGED: list[Callable[[Collection[str]], None]] = []

# Called by `accounts.events.emit`, inside the transaction that makes it happen.
EVENT_HAPPENED: list[Callable[[Happening], None]] = []
