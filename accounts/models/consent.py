"""Permissions of people to use their face or voice."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import OwnedModel


def consent_file_name(consent: Consent, name: str) -> str:
    """Where its document is kept: nobody can guess it, nothing of the uploader's name is in it."""
    return f"consents/{secrets.token_hex(16)}.{name.rpartition('.')[2]}"


class Consent(OwnedModel):
    """A person's permission to use their face or voice. Revoked consent stops use at once.

    shows: ids of the shows it is good for; empty = all of the organization's.
    """

    class Scope(models.TextChoices):
        FACE = "face", _("face")
        VOICE = "voice", _("voice")
        BOTH = "both", _("face and voice")

    subject = models.CharField(_("person"), max_length=200)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    document = models.FileField(_("signed document"), upload_to=consent_file_name, blank=True)
    document_sha256 = models.CharField(
        _("SHA-256 of the document"), max_length=64, blank=True, editable=False
    )
    shows = models.JSONField(
        _("only for the shows"),
        default=list,
        blank=True,
        help_text=_("A list of ids of shows; an empty list means all."),
    )
    is_commercial = models.BooleanField(_("for commercial use too"), default=False)
    territory = models.CharField(
        _("territory"),
        max_length=200,
        blank=True,
        help_text=_("Empty: everywhere. A note for people: no show is held to it."),
    )
    expires_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    revoke_reason = models.CharField(
        _("why it was revoked"), max_length=300, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return f"{self.subject} · {self.get_scope_display()}"
