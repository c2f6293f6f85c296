"""Deliveries: claimed by one sender at a time, finished or put off, sent again by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.audit import record
from accounts.hooks import Happening
from accounts.roles import require_permission
from livestudio.common.errors import TooManyRequestsError
from livestudio.common.models import uuid7
from webhooks.errors import WebhookOffError
from webhooks.models import (
    ANSWER_MAX_CHARACTERS,
    ERROR_MAX_CHARACTERS,
    DeliveryState,
    DisabledReason,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from webhooks.services.endpoints import PERMISSION, Actor, disable_webhook
from webhooks.services.outbox import body_of, delivery_to, is_full

# After the first try, the second and so on: three days and a bit, as the specification proposes.
RETRY_SECONDS: Final = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER: Final = 0.2
RETRY_AFTER_MAX_SECONDS: Final = 3600
FULL_RETRY_SECONDS: Final = 60
# A sender that holds a delivery longer has died: its own limit is a quarter of this.
CLAIM_SECONDS: Final = 60
AT_ONCE_PER_WEBHOOK: Final = 2
# Half of what a sender does at once: it may have twenty webhooks, and none of them answers.
AT_ONCE_PER_ORGANIZATION: Final = 4
CANDIDATES: Final = 20
DISABLE_AFTER: Final = timedelta(days=5)
LOG_KEPT_FOR: Final = timedelta(days=30)
DELETED_PER_SWEEP: Final = 2000
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try. status_code None: no answer, `error` says why."""

    status_code: int | None
    latency_ms: int
    answer: str = ""
    error: str = ""
    retry_after_seconds: int = 0

    @property
    def is_good(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


def claim_due(now: datetime) -> WebhookDelivery | None:
    """A delivery that is due, now in the hands of the caller alone; None when there is none.

    Compare-and-set on every database. The try counts from here, so that a sender that dies in the
    middle has made it: the receiver may see that message twice, with the same id.
    """
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, webhook__is_active=True)
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    due = waiting.filter(free, next_try_at__lte=now).exclude(_has_its_share(waiting, now))
    until = now + timedelta(seconds=CLAIM_SECONDS)
    for row in due.order_by("next_try_at").select_related("webhook")[:CANDIDATES]:
        mine = waiting.filter(pk=row.pk, attempts=row.attempts, claimed_until=row.claimed_until)
        if mine.update(claimed_until=until, attempts=F("attempts") + 1, tried_at=now):
            row.attempts += 1
            found: WebhookDelivery = row
            return found
    return None


def _has_its_share(waiting: QuerySet[WebhookDelivery], now: datetime) -> Q:
    """The rows of receivers and organizations for which as many are under way as may be."""
    held = waiting.filter(claimed_until__gt=now).values_list("webhook", "webhook__organization")
    webhooks, organizations = Counter(row[0] for row in held), Counter(row[1] for row in held)
    return Q(webhook__in=_at_least(webhooks, AT_ONCE_PER_WEBHOOK)) | Q(
        webhook__organization__in=_at_least(organizations, AT_ONCE_PER_ORGANIZATION)
    )


def _at_least(counted: Counter[UUID], number: int) -> list[UUID]:
    return [key for key, count in counted.items() if count >= number]


def is_anything_due(now: datetime) -> bool:
    """Whether a sender would find something to do."""
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, webhook__is_active=True)
    return waiting.filter(next_try_at__lte=now).exists()


def finish(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Note what came of a try: delivered, put off, or given up; and how the webhook fares."""
    seen = {
        "status_code": outcome.status_code,
        "latency_ms": outcome.latency_ms,
        "answer": outcome.answer[:ANSWER_MAX_CHARACTERS],
        "error": outcome.error[:ERROR_MAX_CHARACTERS],
    }
    with transaction.atomic():
        rows = WebhookDelivery.objects.filter(pk=delivery.pk)
        if not rows.exists():
            return  # deleted with its webhook while it was being sent
        WebhookAttempt.objects.create(delivery=delivery, number=delivery.attempts, **seen)
        # A redelivery by hand, or a sender that was thought dead, may have changed the row.
        rows.filter(attempts=delivery.attempts).update(
            **_next(delivery, outcome), claimed_until=None, **seen
        )
        _judge(delivery.webhook, outcome)


def redeliver(*, delivery: WebhookDelivery, actor: Actor) -> WebhookDelivery:
    """Send it once more from the start, with the same id. Raises WebhookOffError."""
    webhook = delivery.webhook
    require_permission(actor, PERMISSION, webhook.organization)
    _require_on(webhook)
    with transaction.atomic():
        rows = WebhookDelivery.objects.filter(pk=delivery.pk)
        rows.update(
            state=DeliveryState.WAITING, attempts=0, next_try_at=timezone.now(), claimed_until=None
        )
        record(
            actor, "webhooks.delivery.sent_again", webhook, data={"message": delivery.message_id}
        )
    delivery.refresh_from_db()
    return delivery


def send_test(*, webhook: Webhook, actor: Actor) -> WebhookDelivery:
    """An event that says nothing, to try a receiver with.

    Raises WebhookOffError, TooManyRequestsError (429) while too many wait already.
    """
    require_permission(actor, PERMISSION, webhook.organization)
    _require_on(webhook)
    if is_full(webhook):
        message = "Too many deliveries wait for this webhook already."
        raise TooManyRequestsError(message, retry_after_seconds=FULL_RETRY_SECONDS)
    owner, kind = webhook.organization_id, "webhook.test"
    data = {"organization": str(owner), "webhook": str(webhook.pk)}
    body = body_of(Happening(owner, kind, data, timezone.now()))
    with transaction.atomic():
        delivery = delivery_to(webhook, kind, f"msg_{uuid7().hex}", body)
        delivery.save(force_insert=True)
        record(actor, "webhooks.webhook.tested", webhook)
    return delivery


def sweep(now: datetime) -> int:
    """Forget old log entries and secrets that no longer sign; how many entries went.

    A bounded number: a control loop waits for it.
    """
    Webhook.objects.filter(old_secret_until__lt=now).update(
        sealed_old_secret="", old_secret_until=None
    )
    over = WebhookDelivery.objects.exclude(state=DeliveryState.WAITING)
    old = over.filter(created_at__lt=now - LOG_KEPT_FOR).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:DELETED_PER_SWEEP])
    WebhookDelivery.objects.filter(pk__in=keys).delete()
    return len(keys)


def _next(
    delivery: WebhookDelivery, outcome: Outcome, jitter: Callable[[], float] = random.random
) -> dict[str, object]:
    if outcome.is_good:
        return {"state": DeliveryState.DELIVERED, "next_try_at": None}
    if outcome.status_code == GONE or delivery.attempts > len(RETRY_SECONDS):
        return {"state": DeliveryState.FAILED, "next_try_at": None}
    wait_seconds = RETRY_SECONDS[delivery.attempts - 1] * (1 + JITTER * jitter())
    asked_seconds = min(outcome.retry_after_seconds, RETRY_AFTER_MAX_SECONDS)
    at = timezone.now() + timedelta(seconds=max(wait_seconds, asked_seconds))
    return {"state": DeliveryState.WAITING, "next_try_at": at}


def _judge(webhook: Webhook, outcome: Outcome) -> None:
    rows, now = Webhook.objects.filter(pk=webhook.pk), timezone.now()
    if outcome.is_good:
        rows.exclude(failing_since=None).update(failing_since=None)
    elif outcome.status_code == GONE:
        disable_webhook(webhook=webhook, reason=DisabledReason.GONE)
    else:
        rows.filter(failing_since=None).update(failing_since=now)
        if rows.filter(failing_since__lt=now - DISABLE_AFTER).exists():
            disable_webhook(webhook=webhook, reason=DisabledReason.FAILING)


def _require_on(webhook: Webhook) -> None:
    if not webhook.is_active:
        raise WebhookOffError
