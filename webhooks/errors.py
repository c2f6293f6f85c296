"""What a webhook refuses."""

from __future__ import annotations

from livestudio.common.errors import ConflictError


class TooManyWebhooksError(ConflictError):
    """An organization has as many as it may have."""

    code = "too_many_webhooks"
    message = "Your organization has as many webhooks as it may have. Delete one first."


class WebhookOffError(ConflictError):
    """Nothing is sent to a webhook that is switched off."""

    code = "webhook_off"
    message = "This webhook is switched off. Switch it on first."
