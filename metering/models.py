"""Plans and who has which, the counters, and the files that take up storage."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, OwnedModel
from livestudio.common.models import BaseModel
from metering.meters import LIMITED, METERS

DEFAULT_ZONE: Final = "Asia/Shanghai"
CLOSING_LINE_MAX_CHARACTERS: Final = 200
METER_CHOICES: Final = [(name, METERS[name].label) for name in LIMITED]


class Plan(BaseModel):
    """Named limits. A meter without a row is not limited."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    is_default = models.BooleanField(
        _("for organizations without a plan"),
        default=False,
        help_text=_("Without a default plan such organizations have no limits."),
    )

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class PlanLimit(BaseModel):
    """How much of a meter a plan allows. limit: in shown units (minutes, not seconds)."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="limits")
    meter = models.CharField(_("meter"), max_length=40, choices=METER_CHOICES)
    limit = models.PositiveBigIntegerField(_("limit"))

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = (models.UniqueConstraint(fields=("plan", "meter"), name="one_plan_limit"),)

    def __str__(self) -> str:
        return f"{self.get_meter_display()}: {self.limit}"


class Closing(models.TextChoices):
    SPOKEN = "spoken", _("The presenter says it")
    CARD = "card", _("A card shows it")


class OrganizationQuota(OwnedModel):
    """An organization's plan, when its day begins, and how a show ends when a quota runs out.

    Empty closing lines: the built-in ones. There is one row for each organization that has been
    looked at; without one the default plan holds.
    """

    organization = models.OneToOneField(
        Organization,
        on_delete=models.CASCADE,
        verbose_name=_("organization"),
        related_name="quota",
    )
    plan = models.ForeignKey(
        Plan,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="organizations",
        verbose_name=_("plan"),
    )
    timezone = models.CharField(
        _("time zone of the day"),
        max_length=64,
        default=DEFAULT_ZONE,
        help_text=_("What is counted by the day begins anew at midnight there."),
    )
    closing = models.CharField(
        _("when minutes run out"), max_length=10, choices=Closing, default=Closing.SPOKEN
    )
    closing_line_zh = models.CharField(
        _("closing line in Chinese"), max_length=CLOSING_LINE_MAX_CHARACTERS, blank=True
    )
    closing_line_en = models.CharField(
        _("closing line in English"), max_length=CLOSING_LINE_MAX_CHARACTERS, blank=True
    )

    class Meta:
        verbose_name = _("quota of an organization")
        verbose_name_plural = _("quotas of organizations")
        ordering = ("organization__name",)

    def __str__(self) -> str:
        return str(self.organization)


class LimitOverride(BaseModel):
    """What this organization may use instead of what its plan says. limit null: no limit."""

    quota = models.ForeignKey(OrganizationQuota, on_delete=models.CASCADE, related_name="overrides")
    meter = models.CharField(_("meter"), max_length=40, choices=METER_CHOICES)
    limit = models.PositiveBigIntegerField(
        _("limit"), null=True, blank=True, help_text=_("Empty: not limited.")
    )

    class Meta:
        verbose_name = _("limit of this organization alone")
        verbose_name_plural = _("limits of this organization alone")
        constraints = (models.UniqueConstraint(fields=("quota", "meter"), name="one_override"),)

    def __str__(self) -> str:
        return f"{self.get_meter_display()}: {self.limit}"


class Counter(OwnedModel):
    """What an organization used of a meter in a period, in stored units.

    period: the day (2026-11-21), `now` for what has none; such a row is the lock under which rows
    are counted, and holds what was found last. reserved: promised to somebody and not used yet.
    warned_at, reached_at: when that was told, once in the period.
    """

    meter = models.CharField(max_length=40)
    period = models.CharField(max_length=10)
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    warned_at = models.DateTimeField(null=True)
    reached_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "meter", "period"), name="one_counter_a_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.meter} {self.period}: {self.used}"


class UsageEntry(OwnedModel):
    """One holder's part of a counter of a day. Changed only while the counter is locked.

    holder: the id of a broadcast, or a word such as `preview`. title: of its show, kept here so
    that old usage can be read when the show is gone.
    """

    meter = models.CharField(max_length=40)
    day = models.DateField()
    holder = models.CharField(max_length=36)
    title = models.CharField(max_length=200, blank=True)
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("holder", "meter", "day", "organization"), name="one_entry_a_day"
            ),
        )
        indexes = (models.Index(fields=("organization", "day"), name="usage_by_day"),)

    def __str__(self) -> str:
        return f"{self.meter} {self.day} {self.holder}: {self.used}"


class StoredFile(OwnedModel):
    """A file that takes up storage. kind, item: whose it is, such as `recording` and its id."""

    kind = models.CharField(max_length=20)
    item = models.CharField(max_length=40)
    size_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("kind", "item"), name="one_size_of_a_file"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.item}: {self.size_bytes}"
