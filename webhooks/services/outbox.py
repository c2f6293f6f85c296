"""Events become rows of the outbox, in the transaction that makes them happen."""

from __future__ import annotations

import json
from typing import Final

from django.utils import timezone

from accounts.hooks import Happening
from accounts.scope import every_organization
from livestudio.common.log import get_logger
from livestudio.common.models import uuid7
from webhooks.models import DeliveryState, Webhook, WebhookDelivery

log = get_logger(__name__)

# More than this waiting for one webhook: its receiver is down, and the newest are not kept.
BACKLOG_MAX: Final = 5000


def enqueue(happening: Happening) -> None:
    """One delivery for each webhook of the organization that wants this type."""
    with every_organization():  # whoever made it happen, the system itself tells
        active = Webhook.objects.filter(organization=happening.organization, is_active=True)
        wanting = [webhook for webhook in active if webhook.wants(happening.kind)]
    if wanting:
        message_id, body = f"msg_{uuid7().hex}", body_of(happening)
        WebhookDelivery.objects.bulk_create(
            [
                delivery_to(webhook, happening.kind, message_id, body)
                for webhook in wanting
                if not is_full(webhook)
            ]
        )


def body_of(happening: Happening) -> str:
    """The JSON that is signed and sent."""
    moment = happening.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": happening.kind, "timestamp": moment, "data": happening.data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def delivery_to(webhook: Webhook, kind: str, message_id: str, body: str) -> WebhookDelivery:
    """A delivery that is due now; the caller saves it."""
    return WebhookDelivery(
        webhook=webhook, kind=kind, message_id=message_id, body=body, next_try_at=timezone.now()
    )


def is_full(webhook: Webhook) -> bool:
    """Whether as much waits for one webhook as is kept."""
    waiting = webhook.deliveries.filter(state=DeliveryState.WAITING)
    is_full = waiting[BACKLOG_MAX : BACKLOG_MAX + 1].exists()
    if is_full:
        log.warning("webhook has too much waiting", webhook_id=str(webhook.pk))
    return is_full
