"""ConnectionTicket: the single-use password of one websocket."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from livestudio.common.models import BaseModel


class TicketPurpose(models.TextChoices):
    CONSOLE = "console", _("Console")
    WATCH = "watch", _("Watch")


class ConnectionTicket(BaseModel):
    """Only the SHA-256 of the ticket is kept; deleting the row is what uses it up."""

    hashed = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    broadcast = models.ForeignKey("streams.Broadcast", on_delete=models.CASCADE)
    purpose = models.CharField(max_length=10, choices=TicketPurpose)
    origin = models.CharField(max_length=300, blank=True)
    # What asked for it (see `accounts.credentials`): the socket lives no longer.
    credential = models.CharField(max_length=60, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("connection ticket")
        verbose_name_plural = _("connection tickets")

    def __str__(self) -> str:
        return f"{self.purpose} {self.broadcast_id}"
