"""Voices: what presenters sound like, with ordered fallbacks and a pronunciation list."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Consent, OwnedModel
from inference.text.lexicon import READING_MAX_CHARACTERS, WORD_MAX_CHARACTERS
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
    consent = models.ForeignKey(
        Consent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="voices",
        verbose_name=_("consent of the person"),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.READY, editable=False
    )
    failure_reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)

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
    fallback = models.ForeignKey(
        Voice, on_delete=models.CASCADE, related_name="+", verbose_name=_("fallback voice")
    )
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
        if not hasattr(self, "fallback"):
            return  # the form has refused it
        if self.fallback_id == self.voice_id:
            raise ValidationError({"fallback": _("A voice cannot be its own fallback.")})
        if self.fallback.organization_id != self.voice.organization_id:
            raise ValidationError({"fallback": _("There is no such voice.")})
        if self.fallback.language != self.voice.language:
            raise ValidationError({"fallback": _("A fallback must speak the same language.")})


class Pronunciation(OwnedModel):
    """How a word is to be read: by one voice, else by every voice of the language.

    key: of voice, language and word without regard to case; one reading for each.
    """

    language = models.CharField(_("language"), max_length=10, choices=Language.choices)
    voice = models.ForeignKey(
        Voice,
        on_delete=models.CASCADE,
        related_name="pronunciations",
        verbose_name=_("only for the voice"),
        null=True,
        blank=True,
        help_text=_("Leave empty for all voices of the language."),
    )
    text = models.CharField(
        _("written"),
        max_length=WORD_MAX_CHARACTERS,
        help_text=_("Written in small letters, it stands for capitals too."),
    )
    reading = models.CharField(
        _("read as"),
        max_length=READING_MAX_CHARACTERS,
        help_text=_(
            "Chinese: pinyin with tones (chong2 qing4) or characters that sound so. English: as "
            "one would misspell it (engine ex)."
        ),
    )
    # MySQL lets null repeat in a unique index, and its letters are equal without accents.
    key = models.CharField(max_length=64, editable=False, default="")

    class Meta:
        verbose_name = _("pronunciation")
        verbose_name_plural = _("pronunciations")
        ordering = ("text",)
        constraints = (
            models.UniqueConstraint(fields=("organization", "key"), name="one_reading_per_key"),
        )

    def __str__(self) -> str:
        return f"{self.text} → {self.reading}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key = pronunciation_key(self.voice_id, self.language, self.text)
        super().save(*args, **kwargs)


def pronunciation_key(voice_id: UUID | None, language: str, text: str) -> str:
    """The same for the same word, whatever its case."""
    return hashlib.sha256(f"{voice_id or ''}|{language}|{text.casefold()}".encode()).hexdigest()
