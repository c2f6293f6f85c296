"""Webhooks of an organization, for its owners."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_managed_organization, get_row
from accounts.endpoints import Endpoint
from webhooks.access import deliveries_of, get_webhook_for, webhooks_for
from webhooks.api.filters import DeliveryFilter
from webhooks.api.serializers import (
    DeliverySerializer,
    NewWebhookSerializer,
    WebhookSerializer,
    WebhookWriteSerializer,
)
from webhooks.models import Webhook
from webhooks.services import deliveries, endpoints


class _SecretEndpoint(Endpoint):
    """Answers once with a secret."""

    answers_hold_secrets = True

    def with_secret(self, webhook: Webhook, secret: str, *, status: int) -> Response:
        context = {**self.get_serializer_context(), "secret": secret}
        answer = NewWebhookSerializer(webhook, context=context)
        return Response(answer.data, status=status, headers={"Cache-Control": "no-store"})


class WebhooksView(_SecretEndpoint):
    serializer_class = WebhookSerializer

    @extend_schema(responses={200: WebhookSerializer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The webhooks of an organization."""
        return self.page(WebhookSerializer, webhooks_for(self.user, organization_id))

    @extend_schema(request=WebhookWriteSerializer, responses={201: NewWebhookSerializer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Make one. Keep `secret` of the answer: it is never shown again."""
        organization = get_managed_organization(self.user, organization_id)
        webhook, secret = endpoints.create_webhook(
            organization=organization, values=self.valid(WebhookWriteSerializer), actor=self.user
        )
        return self.with_secret(webhook, secret, status=201)


class WebhookView(Endpoint):
    serializer_class = WebhookSerializer

    @extend_schema(responses={200: WebhookSerializer})
    def get(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """One webhook."""
        webhook = get_webhook_for(self.user, organization_id, webhook_id)
        return self.rendered(WebhookSerializer, webhook)

    @extend_schema(request=WebhookWriteSerializer, responses={200: WebhookSerializer})
    def patch(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """Change it. `is_active: true` switches one on again that failed for days."""
        webhook = get_webhook_for(self.user, organization_id, webhook_id)
        values = self.valid(WebhookWriteSerializer, partial=True)
        webhook = endpoints.update_webhook(webhook=webhook, values=values, actor=self.user)
        return self.rendered(WebhookSerializer, webhook)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """Delete it with its log."""
        webhook = get_webhook_for(self.user, organization_id, webhook_id)
        endpoints.delete_webhook(webhook=webhook, actor=self.user)
        return Response(status=204)


class RotateSecretView(_SecretEndpoint):
    serializer_class = NewWebhookSerializer

    @extend_schema(request=None, responses={200: NewWebhookSerializer})
    def post(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """A new secret. Both sign for 24 hours: `old_secret_until`."""
        webhook = get_webhook_for(self.user, organization_id, webhook_id)
        secret = endpoints.rotate_secret(webhook=webhook, actor=self.user)
        webhook.refresh_from_db()
        return self.with_secret(webhook, secret, status=200)


class WebhookTestView(Endpoint):
    serializer_class = DeliverySerializer

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """Send a `webhook.test` event. Look into the deliveries for what came of it."""
        webhook = get_webhook_for(self.user, organization_id, webhook_id)
        delivery = deliveries.send_test(webhook=webhook, actor=self.user)
        return self.rendered(DeliverySerializer, delivery, status=202)


class DeliveriesView(Endpoint):
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter

    @extend_schema(responses={200: DeliverySerializer(many=True)})
    def get(self, request: Request, organization_id: UUID, webhook_id: UUID) -> Response:
        """The log, newest first; entries are kept for 30 days."""
        rows = deliveries_of(get_webhook_for(self.user, organization_id, webhook_id))
        return self.page(DeliverySerializer, rows)


class RedeliverView(Endpoint):
    serializer_class = DeliverySerializer

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(
        self, request: Request, organization_id: UUID, webhook_id: UUID, delivery_id: UUID
    ) -> Response:
        """Send it once more, with the same `webhook-id`."""
        rows = deliveries_of(get_webhook_for(self.user, organization_id, webhook_id))
        delivery = get_row(rows, delivery_id, "delivery")
        delivery = deliveries.redeliver(delivery=delivery, actor=self.user)
        return self.rendered(DeliverySerializer, delivery, status=202)
