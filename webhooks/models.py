"""Webhooks, and the deliveries that wait in the outbox or are kept as a log."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.event_types import EVENT_TYPES
from accounts.models import OwnedModel
from inference.egress import URL_MAX_CHARACTERS
from livestudio.common.models import BaseModel
from livestudio.common.vault import SealedTextField

ANSWER_MAX_CHARACTERS = 1000
ERROR_MAX_CHARACTERS = 500


class DisabledReason(models.TextChoices):
    """Why we stopped sending, when it was not the owner's wish."""

    NONE = "", "-"
    GONE = "gone", _("the receiver answered 410 Gone")
    FAILING = "failing", _("it failed for five days")


class Webhook(OwnedModel):
    """An address that is told of events. The secrets sign what is sent, see `webhooks.signing`.

    event_types: empty = every type but those that are opt-in. old secret: signs too until its end.
    failing_since: of the first failure after the last success.
    """

    url = models.CharField(_("URL"), max_length=URL_MAX_CHARACTERS)
    description = models.CharField(_("description"), max_length=200, blank=True)
    event_types = models.JSONField(_("event types"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    sealed_secret = SealedTextField(_("secret"))
    sealed_old_secret = SealedTextField(_("old secret"))
    old_secret_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    disabled_reason = models.CharField(
        _("switched off because"),
        max_length=10,
        choices=DisabledReason.choices,
        default=DisabledReason.NONE,
        blank=True,
        editable=False,
    )

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.description or self.url

    def wants(self, kind: str) -> bool:
        """Whether events of this type are sent here."""
        if self.event_types:
            return kind in self.event_types
        return not EVENT_TYPES[kind].is_opt_in


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")


class WebhookDelivery(BaseModel):
    """One event on its way to one webhook: written with the change it tells of, then the log of it.

    message_id: what the receiver knows repeats by. body: the very bytes that are signed and sent.
    claimed_until: a sender has it in its hands; after that moment it has died.
    """

    created_at = models.DateTimeField(_("at"), auto_now_add=True, editable=False)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    message_id = models.CharField(_("message"), max_length=40, editable=False)
    kind = models.CharField(_("event type"), max_length=50, editable=False)
    body = models.TextField(_("body"), editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=DeliveryState, default=DeliveryState.WAITING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try at"), null=True)
    claimed_until = models.DateTimeField(null=True, editable=False)
    tried_at = models.DateTimeField(_("last tried at"), null=True)
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    latency_ms = models.PositiveIntegerField(_("took (ms)"), null=True)
    answer = models.CharField(_("answer"), max_length=ANSWER_MAX_CHARACTERS, blank=True)
    error = models.CharField(_("why it failed"), max_length=ERROR_MAX_CHARACTERS, blank=True)

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("state", "next_try_at"), name="webhook_delivery_due"),
            models.Index(fields=("webhook", "-created_at"), name="webhook_delivery_log"),
        )

    def __str__(self) -> str:
        return f"{self.kind} → {self.webhook}"


class WebhookAttempt(BaseModel):
    """One try of a delivery and what came of it. number: since it was last sent by hand.

    A sender that died in the middle leaves a number without a row.
    """

    created_at = models.DateTimeField(_("at"), auto_now_add=True, editable=False)
    delivery = models.ForeignKey(
        WebhookDelivery,
        on_delete=models.CASCADE,
        related_name="tries",
        verbose_name=_("webhook delivery"),
    )
    number = models.PositiveSmallIntegerField(_("try"))
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    latency_ms = models.PositiveIntegerField(_("took (ms)"))
    answer = models.CharField(_("answer"), max_length=ANSWER_MAX_CHARACTERS, blank=True)
    error = models.CharField(_("why it failed"), max_length=ERROR_MAX_CHARACTERS, blank=True)

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        verbose_name = _("try of a webhook delivery")
        verbose_name_plural = _("tries of a webhook delivery")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.number}: {self.status_code or self.error}"
