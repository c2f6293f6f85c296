"""What this app has of an organization beyond its rows; registered in `livestudio.wiring`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.hooks import NamedShow, OwnedFolder
from accounts.models import Organization
from inference.services import forget_runners, run_folder
from streams.models import Broadcast, Show
from streams.models.broadcast import FINAL_STATES


def what_is_on_air(organization: Organization) -> list[str]:
    """A sentence for each broadcast that is not over."""
    rows = Broadcast.objects.for_organization(organization).exclude(state__in=FINAL_STATES)
    return [_("“%s” is on air.") % row.snapshot.get("title", row.pk) for row in rows]


def folders_of_broadcasts(organization: Organization) -> list[OwnedFolder]:
    """Recordings, and what runners left; the latter is of use to nobody else."""
    folders: list[OwnedFolder] = []
    for key in _ids(organization):
        folders.append(OwnedFolder(Path(settings.RECORDINGS_DIR) / key, f"recordings/{key}"))
        folders.append(OwnedFolder(run_folder(key)))
    return folders


def find_shows(organization: Organization, ids: list[str]) -> set[str]:
    """Those of the ids that are shows of the organization."""
    keys = {key for text in ids if (key := as_uuid(text)) is not None}
    rows = Show.objects.for_organization(organization).filter(pk__in=keys)
    return {str(key) for key in rows.values_list("pk", flat=True)}


def list_shows(organizations: Iterable[Organization]) -> list[NamedShow]:
    """Every show of the organizations, by title."""
    rows = Show.objects.filter(organization__in=list(organizations)).select_related("organization")
    return [
        NamedShow(str(show.pk), show.title, show.organization, show.archived_at is not None)
        for show in rows.order_by("title", "created_at")
    ]


def forget_runners_of(organization: Organization) -> None:
    """Drop the rows of its runners, which name broadcasts by id alone."""
    forget_runners(_ids(organization))


def as_uuid(text: str) -> UUID | None:
    """None for what is no UUID."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _ids(organization: Organization) -> list[str]:
    rows = Broadcast.objects.for_organization(organization)
    return [str(key) for key in rows.values_list("pk", flat=True)]
