"""CalendarAddress: the secret behind which calendar programs find what airs."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel


class CalendarAddress(OwnedModel):
    """One for an organization at most. Only the SHA-256 of its token is kept."""

    hashed = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )

    class Meta:
        verbose_name = _("calendar address")
        verbose_name_plural = _("calendar addresses")
        constraints = (
            models.UniqueConstraint(
                fields=("organization",), name="one_calendar_address_per_organization"
            ),
        )

    def __str__(self) -> str:
        return str(self.organization)
