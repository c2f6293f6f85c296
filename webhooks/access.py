"""The only way from a user to webhooks and their deliveries: those who manage an organization."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import models

from accounts.access import get_managed_organization, get_row
from accounts.models import User
from webhooks.models import Webhook, WebhookAttempt, WebhookDelivery

# Those of one round of tries, and more where it was sent again by hand.
TRIES_SHOWN: Final = 20


def webhooks_for(user: User, organization_id: UUID) -> models.QuerySet[Webhook]:
    """Raises NotFoundError, ForbiddenError."""
    organization = get_managed_organization(user, organization_id)
    rows = Webhook.objects.for_organization(organization)
    found: models.QuerySet[Webhook] = rows.select_related("organization")
    return found


def get_webhook_for(user: User, organization_id: UUID, webhook_id: UUID) -> Webhook:
    """Raises NotFoundError, ForbiddenError."""
    return get_row(webhooks_for(user, organization_id), webhook_id, "webhook")


def deliveries_of(webhook: Webhook) -> models.QuerySet[WebhookDelivery]:
    """The log of one webhook that the caller has got from here, with the newest tries of each."""
    found: models.QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(webhook=webhook)
    newest = WebhookAttempt.objects.order_by("-created_at")[:TRIES_SHOWN]
    tries = models.Prefetch("tries", queryset=newest, to_attr="newest_tries")
    return found.select_related("webhook__organization").prefetch_related(tries)
