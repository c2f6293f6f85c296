"""WhepViewer: somebody who watches by WHEP, and by what right."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.models import BaseModel


class WhepViewer(BaseModel):
    """From the offer until it leaves, is sent away or lost, or until its runner or the show ends.

    viewer: its name at the runner and in its address. The user is kept as long as there is one:
    who was deleted is then nobody, and the viewer is sent away from a private show.
    """

    viewer = models.CharField(max_length=64, unique=True)
    broadcast = models.ForeignKey("streams.Broadcast", on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # What it signed in with (see `accounts.credentials`).
    credential = models.CharField(max_length=60, blank=True)

    class Meta:
        verbose_name = _("WHEP viewer")
        verbose_name_plural = _("WHEP viewers")

    def __str__(self) -> str:
        return f"WHEP {self.broadcast_id}"
