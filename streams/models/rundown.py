"""Cue: one item of a show's rundown."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.catalog import EXPRESSIONS, GESTURES
from livestudio.common.models import BaseModel

CUE_TEXT_MAX_CHARACTERS = 10_000
PAUSE_MAX_SECONDS = 3600


class CueKind(models.TextChoices):
    SPEECH = "speech", _("Speech")
    PAUSE = "pause", _("Pause")
    CLIP = "clip", _("Clip")


# By the names of the contract.
EXPRESSION_LABELS = {
    "neutral": _("neutral"), "happy": _("happy"), "laugh": _("laughing"),
    "surprised": _("surprised"), "sad": _("sad"), "angry": _("angry"),
    "thinking": _("thinking"), "wink": _("winking"),
}  # fmt: skip
GESTURE_LABELS = {
    "none": _("no gesture"), "wave": _("wave"), "point_left": _("point to the left"),
    "point_right": _("point to the right"), "open_hands": _("open hands"),
    "heart": _("heart of two hands"),
}  # fmt: skip


def expression_choices() -> list[tuple[str, Any]]:
    return [(name, EXPRESSION_LABELS[name]) for name in EXPRESSIONS]


def gesture_choices() -> list[tuple[str, Any]]:
    return [(name, GESTURE_LABELS[name]) for name in GESTURES]


class Cue(BaseModel):
    """What is said, or how long is waited, or which clip is played. Ordered by `position`."""

    show = models.ForeignKey(
        "streams.Show", on_delete=models.CASCADE, related_name="cues", verbose_name=_("show")
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    kind = models.CharField(_("kind"), max_length=10, choices=CueKind, default=CueKind.SPEECH)
    text = models.TextField(_("text"), blank=True, max_length=CUE_TEXT_MAX_CHARACTERS)
    expression = models.CharField(
        _("expression"), max_length=20, choices=expression_choices, default="neutral"
    )
    gesture = models.CharField(_("gesture"), max_length=20, choices=gesture_choices, default="none")
    emotion = models.PositiveSmallIntegerField(
        _("strength of feeling"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
    )
    clip = models.ForeignKey(
        "avatars.AvatarClip",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("clip"),
    )
    pause_seconds = models.FloatField(
        _("pause (seconds)"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(PAUSE_MAX_SECONDS)],
    )
    # title, text, price, url: what the card says; its picture is a row, so that it can be found.
    card = models.JSONField(_("card"), null=True, blank=True)
    card_picture = models.ForeignKey(
        "streams.Picture",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="cues",
        verbose_name=_("picture of the card"),
    )

    class Meta:
        verbose_name = _("cue")
        verbose_name_plural = _("cues")
        # Positions are not unique: MySQL has no deferred constraints, so a swap would collide.
        ordering = ["position", "created_at"]
        indexes = [models.Index(fields=["show", "position"])]

    def __str__(self) -> str:
        return f"{self.position + 1}. {self.text[:40] or self.get_kind_display()}"

    @property
    def kept_card(self) -> dict[str, Any] | None:
        """The card with the id of its picture, as an airing keeps it."""
        if self.card is None:
            return None
        picture = self.card_picture_id
        return {**self.card, "picture": str(picture) if picture else None}
