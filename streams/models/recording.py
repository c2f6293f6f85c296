"""Recording: one file made of a broadcast."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.models import BaseModel


class RecordingState(models.TextChoices):
    RECORDING = "recording", _("Recording")
    FINISHED = "finished", _("Finished")
    FAILED = "failed", _("Failed")
    DELETED = "deleted", _("Deleted")


class Recording(BaseModel):
    """One MP4. runner_key: the id the runner gave it; path: inside `DATA_DIR/recordings`.

    media_time_ms: of its first picture, on the clock of `Utterance.media_time_ms`.
    """

    broadcast = models.ForeignKey(
        "streams.Broadcast",
        on_delete=models.CASCADE,
        related_name="recordings",
        verbose_name=_("broadcast"),
    )
    runner_key = models.CharField(_("runner's id"), max_length=100)
    path = models.CharField(_("file"), max_length=500)
    state = models.CharField(
        _("state"), max_length=12, choices=RecordingState, default=RecordingState.RECORDING
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    media_time_ms = models.PositiveBigIntegerField(_("media time (ms)"), null=True, blank=True)

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["broadcast", "runner_key"], name="one_row_per_recording"
            )
        ]

    def __str__(self) -> str:
        return self.path
