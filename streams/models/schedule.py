"""When a show airs: its schedule, and the single airings that follow from it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.models import BaseModel


class CatchUp(models.TextChoices):
    SKIP = "skip", _("Skip an airing that was missed")
    START_LATE = "start_late", _("Start late, from the beginning")
    JOIN = "join", _("Start late, where it would be by now")


class Schedule(BaseModel):
    """The recurrence of one show in its own time zone.

    starts_at_local: wall-clock time without zone, so that 20:00 stays 20:00 over a DST change.
    exdates: local starts that are left out, same form.
    planned_until: airings before it have their rows. None = nobody has looked yet.
    """

    show = models.OneToOneField(
        "streams.Show", on_delete=models.CASCADE, related_name="schedule", verbose_name=_("show")
    )
    starts_at_local = models.CharField(
        _("first start (local time)"), max_length=19, help_text="2026-01-31T20:00:00"
    )
    timezone = models.CharField(_("time zone"), max_length=64, default="Asia/Shanghai")
    rrule = models.CharField(
        _("recurrence"), max_length=300, blank=True, help_text="FREQ=WEEKLY;BYDAY=MO,WE"
    )
    exdates = models.JSONField(_("left out"), default=list, blank=True)
    catch_up = models.CharField(
        _("when an airing was missed"), max_length=12, choices=CatchUp, default=CatchUp.SKIP
    )
    planned_until = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return f"{self.starts_at_local} {self.timezone} {self.rrule}".strip()


class OccurrenceState(models.TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")
    STARTED = "started", _("Started")
    MISSED = "missed", _("Missed")
    # For a moment only, on the way out: see `services.schedule.drop_planned`.
    DROPPED = "dropped", _("Dropped")


class Occurrence(BaseModel):
    """One planned airing. Claimed by changing `state` from scheduled with a conditional update.

    reason: why it was missed, or what it waits for.
    """

    show = models.ForeignKey(
        "streams.Show", on_delete=models.CASCADE, related_name="occurrences", verbose_name=_("show")
    )
    starts_at = models.DateTimeField(_("starts at"))
    state = models.CharField(
        _("state"), max_length=12, choices=OccurrenceState, default=OccurrenceState.SCHEDULED
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("planned airing")
        verbose_name_plural = _("planned airings")
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["show", "starts_at"], name="one_occurrence_per_start")
        ]
        indexes = [models.Index(fields=["state", "starts_at"])]

    def __str__(self) -> str:
        return f"{self.show_id} {self.starts_at:%Y-%m-%d %H:%M}"
