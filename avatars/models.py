"""Avatars: the digital humans of an organization, and their recorded motions."""

from __future__ import annotations

import secrets

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Consent, OwnedModel
from livestudio.common.models import BaseModel

# Of a failed build: one about weights names files, addresses and licences.
REASON_MAX_CHARACTERS = 1000


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
    failure_reason = models.CharField(
        _("reason"), max_length=REASON_MAX_CHARACTERS, blank=True, editable=False
    )
    licences = models.JSONField(_("licences"), default=list, blank=True)
    consent = models.ForeignKey(
        Consent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="avatars",
        verbose_name=_("consent of the person"),
    )
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
    engine_name = models.CharField(
        _("name in the engine"), max_length=100, help_text=_("What the engine calls it.")
    )
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


def upload_name(build: AvatarBuild, name: str) -> str:
    """Where an upload waits for its build: nothing of the uploader's name is in it."""
    return f"avatar-uploads/{secrets.token_hex(16)}"


class AvatarBuild(BaseModel):
    """One version of a filmed presenter: an upload, its way through the builder, what came of it.

    log: [{at, stage, message}]. facts: of the finished bundle. heartbeat_at: by whoever builds.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        BUILDING = "building", _("building")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    avatar = models.ForeignKey(
        Avatar, on_delete=models.CASCADE, related_name="builds", verbose_name=_("avatar")
    )
    number = models.PositiveIntegerField(_("version"))
    engine = models.CharField(_("engine"), max_length=50)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    is_current = models.BooleanField(_("in use"), default=False)
    progress = models.PositiveSmallIntegerField(_("progress"), default=0)
    stage = models.CharField(_("stage"), max_length=20, blank=True)
    reason = models.CharField(_("reason"), max_length=REASON_MAX_CHARACTERS, blank=True)
    log = models.JSONField(_("log"), default=list, blank=True)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    source = models.FileField(upload_to=upload_name, blank=True)
    landmarks = models.FileField(upload_to=upload_name, blank=True)
    cancel_asked = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        verbose_name = _("avatar build")
        verbose_name_plural = _("avatar builds")
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("avatar", "number"), name="one_build_per_number"),
        )
        indexes = (models.Index(fields=("state", "created_at"), name="avatar_build_state"),)

    def __str__(self) -> str:
        return f"{self.avatar} {self.number}"

    @property
    def is_over(self) -> bool:
        return self.state not in (self.State.QUEUED, self.State.BUILDING)
