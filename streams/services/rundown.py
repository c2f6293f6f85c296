"""The rundown: cues of a show, and moving through them on air."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.audit import record
from accounts.models import User
from accounts.roles import SystemActor, require_permission
from avatars.models import Avatar
from inference.protocol import CueKind
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row, set_values
from streams.models import Broadcast, ControlCommand, Cue, Show
from streams.services.cards import check_card
from streams.services.commands import Order
from streams.services.speech import check_text, steer
from streams.telling import tell_show

CUES_MAX: Final = 500
SPEECH: Final[CueKind] = "speech"
PAUSE: Final[CueKind] = "pause"
CLIP: Final[CueKind] = "clip"

Actor = User | SystemActor
# The fields of a `Cue`, already of the right types: text, expression, gesture ...
CueValues = Mapping[str, Any]


def add_cues(*, show: Show, cues: Sequence[CueValues], actor: Actor) -> list[Cue]:
    """Append cues at the end, or all or none. Raises InvalidInputError naming the wrong one."""
    require_permission(actor, "show.edit", show.organization)
    with transaction.atomic():
        # One after the other: two at once would pass the limit together, and take one place.
        Show.objects.select_for_update().get(pk=show.pk)
        lone = len(cues) == 1
        created = append_cues(show, cues, lambda index: "" if lone else f"{index}.")
        record(actor, "streams.cue.added", show, data={"cues": [str(cue.pk) for cue in created]})
        tell_show(show, "changed")
    return created


def append_cues(
    show: Show, cues: Sequence[CueValues], prefix_of: Callable[[int], str]
) -> list[Cue]:
    """The rows behind `add_cues`, for a caller that has checked the permission.

    prefix_of: what stands before the field names of a cue in an error, by its index.
    """
    count = show.cues.count()
    if count + len(cues) > CUES_MAX:
        raise InvalidInputError(f"A rundown holds at most {CUES_MAX} cues.")
    highest = show.cues.aggregate(highest=Max("position"))["highest"]
    first = 0 if highest is None else highest + 1
    rows = [
        Cue(**{**values, "show": show, "position": first + index})
        for index, values in enumerate(cues)
    ]
    for index, cue in enumerate(rows):
        check_cue(cue, prefix=prefix_of(index))
    # One by one: `created_at` is the second key of the order, and a batch would share it.
    for cue in rows:
        cue.save(force_insert=True)
    return rows


def update_cue(*, cue: Cue, values: CueValues, actor: Actor) -> Cue:
    """Change fields of a cue. An airing that is under way keeps the plan it started with."""
    require_permission(actor, "show.edit", cue.show.organization)
    with transaction.atomic():
        lock_row(cue)
        set_values(cue, values)
        check_cue(cue)
        cue.save()
        record(actor, "streams.cue.changed", cue.show, data={"cue": str(cue.pk)})
        tell_show(cue.show, "changed")
    return cue


def delete_cue(*, cue: Cue, actor: Actor) -> None:
    """Take a cue out of its show's rundown."""
    require_permission(actor, "show.edit", cue.show.organization)
    with transaction.atomic():
        record(actor, "streams.cue.deleted", cue.show, data={"cue": str(cue.pk)})
        tell_show(cue.show, "changed")
        cue.delete()


def reorder_cues(*, show: Show, order: Sequence[UUID], actor: Actor) -> list[Cue]:
    """Bring the cues into this order. Every cue of the show must be named exactly once."""
    require_permission(actor, "show.edit", show.organization)
    with transaction.atomic():
        Show.objects.select_for_update().get(pk=show.pk)
        known = {cue.pk: cue for cue in show.cues.all()}
        _check_order(known, order)
        now = timezone.now()
        for position, cue_id in enumerate(order):
            Cue.objects.filter(pk=cue_id).update(position=position, updated_at=now)
        record(actor, "streams.rundown.reordered", show)
        tell_show(show, "changed")
    return list(show.cues.all())


def check_cue(cue: Cue, *, prefix: str = "") -> None:
    """Raises InvalidInputError when the cue lacks what its kind needs. prefix: of field names."""
    if cue.kind == SPEECH:
        check_text(cue.text, language=cue.show.language, field=f"{prefix}text")
    elif cue.kind == PAUSE and cue.pause_seconds <= 0:
        message = "A pause lasts more than 0 seconds."
        raise InvalidInputError.of(f"{prefix}pause_seconds", message)
    elif cue.kind == CLIP:
        _check_clip(cue, cue.show.avatar, prefix)
    check_card(cue, prefix=prefix)


def take_cue(
    *, broadcast: Broadcast, cue_id: str, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Jump to this cue of the airing at the next sentence end."""
    known = {cue["id"] for cue in broadcast.snapshot["cues"]}
    if cue_id not in known:
        message = "This cue is not in the rundown on air. Cues added after the start air next time."
        raise InvalidInputError.of("cue", message, "unknown_cue")
    return steer(broadcast, Order("take", {"cue": cue_id}, idempotency_key), actor)


def pause_script(
    *, broadcast: Broadcast, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Hold the script at the sentence end; lines of the operator are still spoken."""
    return steer(broadcast, Order("pause", {}, idempotency_key), actor)


def resume_script(
    *, broadcast: Broadcast, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """Go on with the script where it was paused or held."""
    return steer(broadcast, Order("resume", {}, idempotency_key), actor)


def skip_cue(
    *, broadcast: Broadcast, actor: Actor, idempotency_key: str | None = None
) -> ControlCommand:
    """End the current cue and go on with the next."""
    return steer(broadcast, Order("skip", {}, idempotency_key), actor)


def _check_clip(cue: Cue, avatar: Avatar, prefix: str) -> None:
    if cue.clip is None:
        raise InvalidInputError.of(f"{prefix}clip", "Choose the clip to play.", "required")
    if cue.clip.avatar_id != avatar.pk:
        message = f"{avatar.name} does not have this clip."
        raise InvalidInputError.of(f"{prefix}clip", message, "unknown_clip")


def _check_order(known: Mapping[UUID, Cue], order: Sequence[UUID]) -> None:
    foreign = [
        ErrorDetail(str(index), "unknown_cue", f"{cue_id} is not a cue of this show.")
        for index, cue_id in enumerate(order)
        if cue_id not in known
    ]
    if foreign:
        raise InvalidInputError("Some cues are not of this show.", details=tuple(foreign))
    if len(set(order)) != len(order):
        raise InvalidInputError("A cue is named twice.")
    if len(order) != len(known):
        missing = ", ".join(str(cue_id) for cue_id in known if cue_id not in set(order))
        raise InvalidInputError(f"Name every cue of the show once; missing: {missing}.")
