"""The only way from a user to rows of this app: another organization's object looks missing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from accounts.access import get_owned_for, get_row
from accounts.credentials import is_live
from accounts.models import User
from accounts.roles import has_permission, require_permission
from accounts.scope import admit, every_organization
from livestudio.common.errors import NotFoundError
from streams.errors import NotLiveError, SignInRequiredError
from streams.models import (
    Broadcast,
    BroadcastOutput,
    Cue,
    Output,
    Picture,
    Recording,
    Show,
    WhepViewer,
)
from streams.models.broadcast import FINAL_STATES
from streams.models.show import Visibility

Id = UUID | str
Viewer = User | AnonymousUser | None


def get_show_for(user: User, show_id: Id, permission: str) -> Show:
    """Raises NotFoundError, ForbiddenError."""
    rows = Show.objects.filter(archived_at=None).select_related("avatar", "voice", "schedule")
    show: Show = get_owned_for(user, rows, show_id, permission, "show")
    return show


def get_cue_for(user: User, show_id: Id, cue_id: Id, permission: str) -> Cue:
    """A cue of this show. Raises NotFoundError, ForbiddenError."""
    show = get_show_for(user, show_id, permission)
    return get_row(
        Cue.objects.filter(show=show).select_related("show__organization", "clip"), cue_id, "cue"
    )


def get_output_for(user: User, output_id: Id, permission: str) -> Output:
    """Raises NotFoundError, ForbiddenError."""
    output: Output = get_owned_for(user, Output.objects.all(), output_id, permission, "output")
    return output


def get_picture_for(user: User, picture_id: Id, permission: str) -> Picture:
    """Raises NotFoundError, ForbiddenError."""
    picture: Picture = get_owned_for(user, Picture.objects.all(), picture_id, permission, "picture")
    return picture


def get_any_picture(picture_id: UUID) -> Picture:
    """For holders of a signed address, which members alone are given. Raises NotFoundError."""
    with every_organization():
        picture: Picture = get_row(Picture.objects.all(), picture_id, "picture")
    return picture


def get_broadcast_for(user: User, broadcast_id: Id, permission: str) -> Broadcast:
    """Raises NotFoundError, ForbiddenError."""
    rows = Broadcast.objects.select_related("show")
    broadcast: Broadcast = get_owned_for(user, rows, broadcast_id, permission, "broadcast")
    return broadcast


def get_broadcast_output_for(
    user: User, broadcast_id: Id, output_id: Id, permission: str
) -> BroadcastOutput:
    """An output on this airing, by its own id or by that of the output it stands for."""
    broadcast = get_broadcast_for(user, broadcast_id, permission)
    rows = BroadcastOutput.objects.filter(broadcast=broadcast)
    rows = rows.select_related("broadcast__organization", "output")
    try:
        return get_row(rows, output_id, "output on this broadcast")
    except NotFoundError:
        key = _uuid_or_none(output_id)
        row = rows.filter(output__pk=key).first() if key else None
        if row is None:
            raise
        return row


def get_recording_for(user: User, recording_id: Id) -> Recording:
    """Raises NotFoundError, ForbiddenError."""
    rows: Any = Recording.objects.select_related("broadcast__organization")
    if not user.is_superuser:
        rows = rows.filter(broadcast__organization__memberships__user=user)
    recording: Recording = get_row(rows, recording_id, "recording")
    require_permission(user, "recording.view", recording.broadcast.organization)
    return recording


def get_any_broadcast(broadcast_id: Id) -> Broadcast:
    """For holders of a signed address, which members alone are given, and of a socket.

    Raises NotFoundError.
    """
    rows = Broadcast.objects.select_related("show")
    with every_organization():
        broadcast: Broadcast = get_row(rows, broadcast_id, "broadcast")
    admit(broadcast.organization_id)
    return broadcast


def get_any_recording(recording_id: UUID) -> Recording:
    """For holders of a signed address, which members alone are given. Raises NotFoundError."""
    with every_organization():
        return get_row(Recording.objects.select_related("broadcast"), recording_id, "recording")


def get_watchable_broadcast(viewer: Viewer, target_id: Id) -> Broadcast:
    """The broadcast with this id, or the airing of the show with this id that is live now.

    Raises NotFoundError (also for a private show of another organization), SignInRequiredError
    (private and nobody signed in), NotLiveError (a show that is not on air).
    """
    key = _uuid_or_none(target_id)
    if key is None:
        raise NotFoundError("There is no such broadcast.")
    with every_organization():  # public shows are for everybody
        broadcast = _broadcast_or_live_airing(key)
        show = broadcast.show if broadcast else _find_show(key)
    if show is None:
        raise NotFoundError("There is no such broadcast.")
    _require_may_watch(viewer, show)
    if broadcast is None:
        raise NotLiveError("This show is not on air right now.")
    admit(broadcast.organization_id)
    return broadcast


def can_watch(viewer: Viewer, show: Show) -> bool:
    """Public and unlisted shows are for everybody, private ones for members."""
    if show.visibility != Visibility.PRIVATE:
        return True
    return isinstance(viewer, User) and has_permission(viewer, "broadcast.view", show.organization)


def get_whep_viewer(broadcast_id: UUID, viewer: str) -> WhepViewer:
    """For whoever knows its name, which is hard to guess, while it may watch.

    Raises NotFoundError.
    """
    rows = WhepViewer.objects.filter(broadcast=broadcast_id, viewer=viewer)
    rows = rows.exclude(broadcast__state__in=FINAL_STATES)
    with every_organization():
        row = rows.select_related("user", "broadcast__show__organization").first()
        if row is None or not may_stay(row):
            raise NotFoundError("There is no such viewer (any more).")
    return row


def may_stay(row: WhepViewer) -> bool:
    """Whether a viewer who has joined may go on: the show, the member or the sign-in may change."""
    show = row.broadcast.show
    if show.visibility != Visibility.PRIVATE:
        return True
    return is_live(row.credential) and can_watch(row.user, show)


def _broadcast_or_live_airing(key: UUID) -> Broadcast | None:
    rows = Broadcast.objects.select_related("show__organization", "organization")
    return rows.filter(pk=key).first() or rows.filter(active_key=key).first()


def _find_show(key: UUID) -> Show | None:
    rows = Show.objects.filter(pk=key, archived_at=None)
    return rows.select_related("organization").first()


def _require_may_watch(viewer: Viewer, show: Show) -> None:
    if can_watch(viewer, show):
        return
    if not isinstance(viewer, User):
        raise SignInRequiredError
    raise NotFoundError("There is no such broadcast.")


def _uuid_or_none(value: Id) -> UUID | None:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None
