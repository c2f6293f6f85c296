"""The JSON forms of webhooks and their deliveries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.event_types import EVENT_TYPES
from inference.egress import URL_MAX_CHARACTERS
from webhooks.access import TRIES_SHOWN
from webhooks.models import Webhook, WebhookAttempt, WebhookDelivery

_TYPES_HELP = (
    "Empty: every type but those that are opt-in. "
    f"Opt-in: {', '.join(name for name, entry in EVENT_TYPES.items() if entry.is_opt_in)}."
)


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=list(EVENT_TYPES)), help_text=_TYPES_HELP
    )

    class Meta:
        model = Webhook
        fields = (
            "id", "url", "description", "event_types", "is_active", "disabled_reason",
            "failing_since", "old_secret_until", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class NewWebhookSerializer(WebhookSerializer):
    """The answers that hold the secret."""

    secret = serializers.SerializerMethodField(
        help_text="`whsec_…`: keep it, it is never shown again."
    )

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    def get_secret(self, row: Webhook) -> str:
        return str(self.context["secret"])


class WebhookWriteSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=URL_MAX_CHARACTERS, help_text="https:// or http://, a public address."
    )
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=list(EVENT_TYPES)),
        required=False,
        max_length=len(EVENT_TYPES),
        help_text=_TYPES_HELP,
    )
    is_active = serializers.BooleanField(required=False)


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    """One try. status_code null: there was no answer, `error` says why."""

    at = serializers.DateTimeField(source="created_at", read_only=True)

    class Meta:
        model = WebhookAttempt
        fields = ("number", "at", "status_code", "latency_ms", "answer", "error")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    type = serializers.ChoiceField(choices=list(EVENT_TYPES), source="kind", read_only=True)
    body = serializers.SerializerMethodField()
    tries = serializers.SerializerMethodField(help_text="The newest first, at most 20.")

    class Meta:
        model = WebhookDelivery
        fields = (
            "id", "message_id", "type", "state", "attempts", "next_try_at", "tried_at",
            "status_code", "latency_ms", "answer", "error", "body", "tries", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(help_text="The JSON text that was signed and sent."))
    def get_body(self, row: WebhookDelivery) -> str:
        return row.body

    @extend_schema_field(AttemptSerializer(many=True))
    def get_tries(self, row: WebhookDelivery) -> Any:
        newest = getattr(row, "newest_tries", None)
        rows = row.tries.all()[:TRIES_SHOWN] if newest is None else newest
        return AttemptSerializer(rows, many=True).data
