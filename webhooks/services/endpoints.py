"""Webhooks of an organization: made, changed, their secret replaced, switched off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from accounts.audit import record
from accounts.event_types import EVENT_TYPES
from accounts.models import Organization, User
from accounts.roles import SYSTEM, SystemActor, require_permission
from livestudio.common import vault
from livestudio.common.egress import HTTP_SCHEMES, check_destination
from livestudio.common.errors import EgressRefusedError, ErrorDetail, InvalidInputError
from livestudio.common.locking import lock_row, set_values, with_values
from webhooks.errors import TooManyWebhooksError
from webhooks.letters import tell_owners
from webhooks.models import DeliveryState, DisabledReason, Webhook
from webhooks.signing import new_secret

Actor = User | SystemActor

WEBHOOKS_MAX: Final = 20
# Both secrets sign for so long, so that receivers can change over without losing an event.
OLD_SECRET_FOR: Final = timedelta(hours=24)
PERMISSION: Final = "organization.manage"


def create_webhook(
    *, organization: Organization, values: Mapping[str, Any], actor: Actor
) -> tuple[Webhook, str]:
    """(the webhook, its secret, which is not shown again).

    Raises ForbiddenError, InvalidInputError, EgressRefusedError, TooManyWebhooksError.
    """
    require_permission(actor, PERMISSION, organization)
    webhook = Webhook(organization=organization, **values)
    check_webhook(webhook)
    secret = new_secret()
    vault.seal_into(webhook, "sealed_secret", secret)
    with transaction.atomic():
        # One after the other: two that come at once must not pass the limit together.
        Organization.objects.select_for_update().get(pk=organization.pk)
        if Webhook.objects.for_organization(organization).count() >= WEBHOOKS_MAX:
            raise TooManyWebhooksError
        webhook.save(force_insert=True)
        record(actor, "webhooks.webhook.created", webhook, data={"url": webhook.url})
    return webhook, secret


def update_webhook(*, webhook: Webhook, values: Mapping[str, Any], actor: Actor) -> Webhook:
    """Change it. Switched on again it begins anew; switched off it forgets what waits."""
    require_permission(actor, PERMISSION, webhook.organization)
    check_webhook(with_values(webhook, values))
    with transaction.atomic():
        lock_row(webhook)
        was_active = webhook.is_active
        set_values(webhook, values)
        if webhook.is_active and not was_active:
            webhook.disabled_reason, webhook.failing_since = DisabledReason.NONE, None
        webhook.save()
        if was_active and not webhook.is_active:
            _drop_waiting(webhook)
        record(actor, "webhooks.webhook.changed", webhook, data={"fields": sorted(values)})
    return webhook


def delete_webhook(*, webhook: Webhook, actor: Actor) -> None:
    """Forget it with its log."""
    require_permission(actor, PERMISSION, webhook.organization)
    with transaction.atomic():
        record(actor, "webhooks.webhook.deleted", webhook, data={"url": webhook.url})
        webhook.delete()


def rotate_secret(*, webhook: Webhook, actor: Actor) -> str:
    """A new secret, not shown again; the old one signs too for OLD_SECRET_FOR."""
    require_permission(actor, PERMISSION, webhook.organization)
    secret = new_secret()
    with transaction.atomic():
        lock_row(webhook)
        vault.seal_into(webhook, "sealed_old_secret", _secret_or_nothing(webhook))
        vault.seal_into(webhook, "sealed_secret", secret)
        webhook.old_secret_until = timezone.now() + OLD_SECRET_FOR
        webhook.save()
        record(actor, "webhooks.webhook.secret_rotated", webhook)
    return secret


def open_secrets(webhook: Webhook) -> Sequence[str]:
    """The secrets that sign now, the newest first. Raises VaultError."""
    secrets = [vault.open_from(webhook, "sealed_secret")]
    until = webhook.old_secret_until
    if webhook.sealed_old_secret and until is not None and until > timezone.now():
        secrets.append(vault.open_from(webhook, "sealed_old_secret"))
    return secrets


def disable_webhook(*, webhook: Webhook, reason: str) -> bool:
    """Switch it off for a reason of ours and tell the owners; False when it was off already."""
    with transaction.atomic():
        rows = Webhook.objects.filter(pk=webhook.pk, is_active=True)
        if not rows.update(is_active=False, disabled_reason=reason):
            return False
        _drop_waiting(webhook)
        record(SYSTEM, "webhooks.webhook.disabled", webhook, data={"reason": reason})
        tell_owners(webhook, reason)
    return True


def check_webhook(webhook: Webhook) -> None:
    """Raises EgressRefusedError about the URL, InvalidInputError about the types."""
    try:
        check_destination(webhook.url, schemes=HTTP_SCHEMES)
    except EgressRefusedError as error:
        detail = ErrorDetail("url", error.code, error.message)
        raise EgressRefusedError(error.message, details=(detail,)) from error
    unknown = sorted(set(map(str, webhook.event_types)) - set(EVENT_TYPES))
    if unknown:
        known = ", ".join(EVENT_TYPES)
        message = f"There is no event type {unknown[0]!r}. There are: {known}."
        raise InvalidInputError.of("event_types", message, "unknown")


def _drop_waiting(webhook: Webhook) -> None:
    waiting = webhook.deliveries.filter(state=DeliveryState.WAITING)
    waiting.update(
        state=DeliveryState.FAILED, next_try_at=None, error="The webhook was switched off."
    )


def _secret_or_nothing(webhook: Webhook) -> str:
    try:
        return vault.open_from(webhook, "sealed_secret")
    except vault.VaultError:
        return ""  # a new secret is how a lost one is mended
