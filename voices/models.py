"""Voices: what presenters sound like, with ordered fallbacks and a pronunciation list."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel
from livestudio.common.models import BaseModel
from livestudio.common.vault import SealedTextField


class Language(models.TextChoices):
    CHINESE = "zh-CN", _("Chinese (Mandarin)")
    ENGLISH = "en-US", _("English (US)")


class Voice(OwnedModel):
    """A voice: which speech engine makes it, in which language, with which settings.

    sealed_api_key: of the engine's server, sealed by the vault and never shown again.
    """

    class State(models.TextChoices):
        BUILDING = "building", _("building")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    name = models.CharField(_("name"), max_length=100)
    engine = models.CharField(_("engine"), max_length=50)
    language = models.CharField(_("language"), max_length=10, choices=Language.choices)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    sealed_api_key = SealedTextField(_("API key"))
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.READY, editable=False
    )
    failure_reason = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = _("voice")
        verbose_name_plural = _("voices")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("organization", "name"), name="one_voice_per_name"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def has_api_key(self) -> bool:
        """Whether a key is sealed here; the key itself only ever goes to a runner."""
        return bool(self.sealed_api_key)


class VoiceFallback(BaseModel):
    """The voice that says a sentence when the one before it could not; tried by position."""

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="fallback_links")
    fallback = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(_("position"))

    class Meta:
        verbose_name = _("fallback voice")
        verbose_name_plural = _("fallback voices")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("voice", "position"), name="one_fallback_per_rank"),
            models.UniqueConstraint(fields=("voice", "fallback"), name="each_fallback_once"),
        )

    def __str__(self) -> str:
        return f"{self.voice} → {self.fallback}"

    def clean(self) -> None:
        """Raises ValidationError unless the fallback can stand in for the voice."""
        if self.fallback_id == self.voice_id:
            raise ValidationError({"fallback": _("A voice cannot be its own fallback.")})
        if self.fallback.organization_id != self.voice.organization_id:
            raise ValidationError({"fallback": _("There is no such voice.")})
        if self.fallback.language != self.voice.language:
            raise ValidationError({"fallback": _("A fallback must speak the same language.")})


class Pronunciation(OwnedModel):
    """How a word is to be read, for every voice of its language."""

    language = models.CharField(_("language"), max_length=10, choices=Language.choices)
    text = models.CharField(_("written"), max_length=100)
    reading = models.CharField(_("read as"), max_length=200)

    class Meta:
        verbose_name = _("pronunciation")
        verbose_name_plural = _("pronunciations")
        ordering = ("text",)
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "language", "text"), name="one_reading_per_word"
            ),
        )

    def __str__(self) -> str:
        return f"{self.text} → {self.reading}"
