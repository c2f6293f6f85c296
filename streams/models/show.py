"""Show: the plan that a team airs, again and again."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel
from inference.catalog import PROFILES
from voices.models import Language

LOOP_PAUSE_MAX_SECONDS = 3600
DURATION_MAX_MINUTES = 24 * 60
LOWER_THIRD_MAX_CHARACTERS = 30


class Visibility(models.TextChoices):
    PUBLIC = "public", _("Public: anybody may watch, and it is listed")
    UNLISTED = "unlisted", _("Unlisted: anybody with the address may watch")
    PRIVATE = "private", _("Private: only members of the organization")


class RundownMode(models.TextChoices):
    ONCE = "once", _("Once")
    LOOP = "loop", _("Loop")


class Ends(models.TextChoices):
    AFTER_RUNDOWN = "after_rundown", _("When the rundown has ended")
    AFTER_DURATION = "after_duration", _("After a set time")
    MANUAL = "manual", _("When somebody stops it")


class LabelPreset(models.TextChoices):
    """What the AI label says; its words and rules are in `streams.labels`."""

    BILINGUAL = "bilingual", _("AI-generated, in both languages")
    CHINA = "china", _("China: AI生成 (GB 45438-2025)")
    EU = "eu", _("European Union: AI-generated (AI Act, article 50)")
    GENERATED = "generated", _("AI-generated")
    PRESENTER = "presenter", _("AI presenter")
    NONE = "none", _("No label")


class Corner(models.TextChoices):
    TOP_LEFT = "top_left", _("Top left")
    TOP_RIGHT = "top_right", _("Top right")
    BOTTOM_LEFT = "bottom_left", _("Bottom left")
    BOTTOM_RIGHT = "bottom_right", _("Bottom right")


class ClockFormat(models.TextChoices):
    NONE = "none", _("No clock")
    MINUTE = "minute", _("Hours and minutes")
    SECOND = "second", _("Hours, minutes and seconds")


def profile_choices() -> list[tuple[str, str]]:
    """The picture formats as a form offers them."""
    return [
        (p.name, f"{p.name} ({p.width_px}x{p.height_px}, {p.frames_per_second} fps)")
        for p in PROFILES
    ]


class Show(OwnedModel):
    """A plan: who presents, with which voice, what is said, when, and where it goes."""

    title = models.CharField(_("title"), max_length=120)
    avatar = models.ForeignKey(
        "avatars.Avatar",
        on_delete=models.PROTECT,
        related_name="shows",
        verbose_name=_("presenter"),
    )
    voice = models.ForeignKey(
        "voices.Voice", on_delete=models.PROTECT, related_name="shows", verbose_name=_("voice")
    )
    language = models.CharField(
        _("language"), max_length=10, choices=Language, default=Language.CHINESE
    )
    profile = models.CharField(
        _("picture format"), max_length=40, choices=profile_choices, default="virtual_host"
    )
    visibility = models.CharField(
        _("visibility"), max_length=10, choices=Visibility, default=Visibility.PRIVATE
    )
    background = models.CharField(_("background"), max_length=100, default="studio")
    rundown_mode = models.CharField(
        _("rundown plays"), max_length=10, choices=RundownMode, default=RundownMode.ONCE
    )
    loop_pause_seconds = models.FloatField(
        _("pause between loops (seconds)"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(LOOP_PAUSE_MAX_SECONDS)],
    )
    ends = models.CharField(_("ends"), max_length=20, choices=Ends, default=Ends.AFTER_RUNDOWN)
    duration_minutes = models.PositiveIntegerField(
        _("duration (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(DURATION_MAX_MINUTES)],
    )
    captions = models.BooleanField(_("captions in the picture"), default=True)
    overlay_title = models.CharField(_("title in the picture"), max_length=80, blank=True)
    label_preset = models.CharField(
        _("AI label"), max_length=20, choices=LabelPreset, default=LabelPreset.BILINGUAL
    )
    label_position = models.CharField(
        _("place of the AI label"),
        max_length=20,
        choices=Corner,
        default=Corner.TOP_LEFT,
    )
    logo = models.ForeignKey(
        "streams.Picture",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="shows",
        verbose_name=_("logo"),
    )
    logo_position = models.CharField(
        _("place of the logo"), max_length=20, choices=Corner, default=Corner.TOP_RIGHT
    )
    lower_third_name = models.CharField(
        _("name line"), max_length=LOWER_THIRD_MAX_CHARACTERS, blank=True
    )
    lower_third_role = models.CharField(
        _("role line"), max_length=LOWER_THIRD_MAX_CHARACTERS, blank=True
    )
    clock_format = models.CharField(
        _("clock"), max_length=10, choices=ClockFormat, default=ClockFormat.NONE
    )
    clock_position = models.CharField(
        _("place of the clock"), max_length=20, choices=Corner, default=Corner.TOP_RIGHT
    )
    clock_timezone = models.CharField(
        _("time zone of the clock"),
        max_length=64,
        blank=True,
        help_text=_("Such as Asia/Shanghai. Empty: the zone of the schedule."),
    )
    record = models.BooleanField(_("record"), default=False)
    is_commercial = models.BooleanField(
        _("commercial"),
        default=False,
        # Web processes of before the upgrade save shows without it.
        db_default=False,
        help_text=_("It sells or advertises: whoever is seen or heard must have agreed to that."),
    )
    outputs = models.ManyToManyField(
        "streams.Output", blank=True, related_name="shows", verbose_name=_("outputs")
    )
    # Its broadcasts, recordings and transcripts outlive a show that is no longer wanted.
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("show")
        verbose_name_plural = _("shows")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["organization", "-created_at"])]

    def __str__(self) -> str:
        return self.title

    @property
    def is_public(self) -> bool:
        """Whether viewers need no sign-in (public and unlisted)."""
        return self.visibility != Visibility.PRIVATE
