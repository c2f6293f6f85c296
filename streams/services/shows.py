"""Shows: made, changed and put away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from inference.catalog import BACKGROUNDS
from livestudio.common.errors import ErrorDetail, InvalidInputError, NotFoundError
from livestudio.common.locking import lock_row, set_values
from streams.errors import ShowOnAirError
from streams.labels import misplaced
from streams.models import Output, Show
from streams.models.broadcast import FINAL_STATES
from streams.models.show import Ends, LabelPreset
from streams.poke import poke_viewers
from streams.services.pictures import as_picture_id, check_show_pictures
from streams.services.recurrence import zone_names
from streams.services.rundown import append_cues, check_cue
from streams.services.schedule import replace_schedule
from streams.telling import tell_show

Actor = User | SystemActor

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ShowDraft:
    """What is to be written. None for outputs, cues = as they are; has_schedule: `schedule` counts.

    values: fields of `Show`. schedule: as the API takes it, None = without.
    """

    values: Mapping[str, Any]
    outputs: Sequence[Output] | None = None
    cues: Sequence[Mapping[str, Any]] | None = None
    schedule: Mapping[str, Any] | None = field(default=None)
    has_schedule: bool = False


def create_show(*, organization: Organization, draft: ShowDraft, actor: Actor) -> Show:
    """Save a plan with its cues. Raises InvalidInputError naming the field, nested ones too."""
    require_permission(actor, "show.edit", organization)
    show = Show(organization=organization, **draft.values)
    with transaction.atomic():
        _write(show, draft)
        record(actor, "streams.show.created", show, data={"title": show.title})
        record_label(show, before="", actor=actor)
        tell_show(show, "created")
    return show


def update_show(*, show: Show, draft: ShowDraft, actor: Actor) -> Show:
    """Change a plan. Given cues replace the rundown; what is on air keeps its own copy."""
    require_permission(actor, "show.edit", show.organization)
    with transaction.atomic():
        lock_show(show)
        label_before, visibility_before = show.label_preset, show.visibility
        set_values(show, draft.values)
        if draft.cues is not None:
            show.cues.all().delete()
        _write(show, draft)
        _check_kept_cues(show, draft)
        record(actor, "streams.show.changed", show, data={"fields": sorted(draft.values)})
        record_label(show, before=label_before, actor=actor)
        tell_show(show, "changed")
        if show.visibility != visibility_before:
            tell_viewers(show)
    return show


def lock_show(show: Show) -> None:
    """Before it is changed, see `lock_row`. Raises NotFoundError when it was put away meanwhile."""
    lock_row(show)
    if show.archived_at is not None:
        raise NotFoundError("There is no such show.")


def tell_viewers(show: Show) -> None:
    """The visibility was changed: whoever watches is asked again whether they may."""
    for key in show.broadcasts.exclude(state__in=FINAL_STATES).values_list("pk", flat=True):
        transaction.on_commit(partial(poke_viewers, key))


def archive_show(*, show: Show, actor: Actor) -> None:
    """Put a show away: its transcripts and recordings stay. Raises ShowOnAirError."""
    require_permission(actor, "show.edit", show.organization)
    with transaction.atomic():
        # A control loop that starts an airing takes the same lock: one of the two comes first.
        lock_show(show)
        if show.broadcasts.exclude(state__in=FINAL_STATES).exists():
            raise ShowOnAirError
        show.archived_at = timezone.now()
        show.save(update_fields=["archived_at", "updated_at"])
        # Nobody can change these cues any more, and a clip in use cannot be deleted.
        show.cues.exclude(clip=None).update(clip=None)
        replace_schedule(show, None)
        record(actor, "streams.show.archived", show)
        tell_show(show, "deleted")


def record_label(show: Show, *, before: str, actor: Actor) -> None:
    """Somebody takes the AI label away: who and when stays in the trail. before: of the preset."""
    if show.label_preset == LabelPreset.NONE != before:
        record(actor, "streams.show.label_off", show, data={"before": before})


def check_show(show: Show) -> None:
    """Raises InvalidInputError for values that contradict each other or belong to others."""
    details: list[ErrorDetail] = []
    for name in ("avatar", "voice"):
        if getattr(show, name).organization_id != show.organization_id:
            details.append(ErrorDetail(name, "not_found", f"There is no such {name}."))
    if not _is_background(show.background):
        message = _(
            "Choose from: %(names)s; or give a colour such as #dfe6f4, or the id of an uploaded "
            "picture."
        )
        names = {"names": ", ".join(BACKGROUNDS)}
        details.append(ErrorDetail("background", "invalid_choice", message % names))
    if show.clock_timezone and show.clock_timezone not in zone_names():
        message = _("There is no time zone “%(name)s”; name one such as Asia/Shanghai.")
        values = {"name": show.clock_timezone}
        details.append(ErrorDetail("overlays.clock.timezone", "unknown_zone", message % values))
    if show.lower_third_role and not show.lower_third_name:
        message = _("A role line needs a name line above it.")
        details.append(ErrorDetail("overlays.lower_third.name", "required", message))
    if message := misplaced(show):
        details.append(ErrorDetail("overlays.label.position", "not_allowed", message))
    if show.ends == Ends.AFTER_DURATION and not show.duration_minutes:
        message = "Say how many minutes the show lasts."
        details.append(ErrorDetail("duration_minutes", "required", message))
    if details:
        raise InvalidInputError(details[0].message, details=tuple(details))
    check_show_pictures(show)


def _is_background(value: str) -> bool:
    is_drawn = value in BACKGROUNDS or _COLOUR.fullmatch(value) is not None
    return is_drawn or as_picture_id(value) is not None


def _write(show: Show, draft: ShowDraft) -> None:
    check_show(show)
    show.save()
    if draft.outputs is not None:
        _check_outputs(show, draft.outputs)
        show.outputs.set(draft.outputs)
    if draft.cues is not None:
        append_cues(show, draft.cues, lambda index: f"cues.{index}.")
    if draft.has_schedule:
        replace_schedule(show, draft.schedule)


def _check_kept_cues(show: Show, draft: ShowDraft) -> None:
    """A new presenter may lack a clip, a new language may read a directive differently."""
    if draft.cues is None and {"avatar", "language"} & set(draft.values):
        for index, cue in enumerate(show.cues.select_related("clip")):
            cue.show = show
            check_cue(cue, prefix=f"cues.{index}.")


def _check_outputs(show: Show, outputs: Sequence[Output]) -> None:
    for index, output in enumerate(outputs):
        if output.organization_id != show.organization_id:
            raise InvalidInputError.of(f"outputs.{index}", "There is no such output.", "not_found")
