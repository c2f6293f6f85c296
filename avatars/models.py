"""Avatars: the digital humans of an organization, and their recorded motions."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel
from livestudio.common.models import BaseModel


class Avatar(OwnedModel):
    """A presenter: which face engine draws it, and with which settings."""

    class State(models.TextChoices):
        BUILDING = "building", _("building")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    name = models.CharField(_("name"), max_length=100)
    engine = models.CharField(_("engine"), max_length=50)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.READY, editable=False
    )
    progress = models.PositiveSmallIntegerField(
        _("progress"), default=100, validators=[MaxValueValidator(100)], editable=False
    )
    failure_reason = models.CharField(max_length=500, blank=True, editable=False)
    licences = models.JSONField(_("licences"), default=list, blank=True)
    preview = models.FileField(_("preview"), upload_to="avatars/", blank=True, editable=False)

    class Meta:
        verbose_name = _("avatar")
        verbose_name_plural = _("avatars")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("organization", "name"), name="one_avatar_per_name"),
        )

    def __str__(self) -> str:
        return self.name


class AvatarClip(BaseModel):
    """A recorded motion of an avatar that a cue or the operator can play."""

    avatar = models.ForeignKey(Avatar, on_delete=models.CASCADE, related_name="clips")
    name = models.CharField(_("name"), max_length=100)
    engine_name = models.CharField(max_length=100, help_text=_("What the engine calls it."))
    duration_ms = models.PositiveIntegerField(_("duration (ms)"), default=0)

    class Meta:
        verbose_name = _("avatar clip")
        verbose_name_plural = _("avatar clips")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("avatar", "name"), name="one_clip_per_name"),
        )

    def __str__(self) -> str:
        return self.name
