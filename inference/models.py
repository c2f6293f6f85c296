"""Runner: one launched process of one broadcast. Node: one machine that launches them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.models import BaseModel


class Node(BaseModel):
    """A machine whose control loop has been seen. chores_at: of its last sweep that ended well."""

    name = models.CharField(_("name"), max_length=255, unique=True)
    last_seen_at = models.DateTimeField(_("last seen at"))
    chores_at = models.DateTimeField(_("last sweep at"), null=True, editable=False)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RunnerState(models.TextChoices):
    LAUNCHING = "launching", _("Launching")
    RUNNING = "running", _("Running")
    ENDED = "ended", _("Ended")


class Runner(BaseModel):
    """One launch. broadcast: an id without a foreign key, since streams lies above this app.

    handle: what the launcher needs to find the process again; empty until it exists. A process
    without a recorded handle never receives its token, so it ends by itself.
    live_at: when this launch put the broadcast on air.
    """

    broadcast = models.UUIDField(_("broadcast"), db_index=True)
    lease_epoch = models.PositiveIntegerField(_("lease epoch"))
    launcher = models.CharField(_("launcher"), max_length=20)
    handle = models.JSONField(_("handle"), default=dict, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=RunnerState, default=RunnerState.LAUNCHING
    )
    started_at = models.DateTimeField(_("started at"))
    live_at = models.DateTimeField(_("on air at"), null=True, blank=True)
    stop_asked_at = models.DateTimeField(_("told to stop at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    exit_reason = models.CharField(_("why it ended"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("runner")
        verbose_name_plural = _("runners")
        ordering = ["-started_at"]
        constraints = [
            # The last guard of "launched once": two loops cannot both write this row.
            models.UniqueConstraint(
                fields=["broadcast", "lease_epoch"], name="one_launch_per_epoch"
            )
        ]
        indexes = [models.Index(fields=["state", "started_at"])]

    def __str__(self) -> str:
        return f"{self.broadcast} #{self.lease_epoch} ({self.get_state_display()})"
