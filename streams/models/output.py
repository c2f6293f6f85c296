"""Output: a destination that broadcasts of an organization can be sent to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel
from livestudio.common.vault import SealedTextField

OUTPUT_URL_MAX_CHARACTERS = 500
STREAM_KEY_MAX_CHARACTERS = 400


class OutputKind(models.TextChoices):
    RTMP = "rtmp", _("RTMP or RTMPS server")
    FILE = "file", _("File on this server")


class Output(OwnedModel):
    """Where to send, with the stream key sealed by the vault and never shown again."""

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=OutputKind, default=OutputKind.RTMP)
    url = models.CharField(_("URL"), max_length=OUTPUT_URL_MAX_CHARACTERS)
    sealed_stream_key = SealedTextField(_("stream key"))
    key_hint = models.CharField(_("key ends in"), max_length=4, blank=True, editable=False)
    key_per_broadcast = models.BooleanField(
        _("a new key for each broadcast"),
        default=False,
        help_text=_("The show starts without it; this output waits until today's key is pasted."),
    )

    class Meta:
        verbose_name = _("output")
        verbose_name_plural = _("outputs")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["organization", "-created_at"])]

    def __str__(self) -> str:
        return self.name
