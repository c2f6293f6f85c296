"""What owners are told about their webhooks."""

from __future__ import annotations

import contextlib

from django.utils.translation import gettext as _

from accounts.errors import MailOffError
from accounts.mail import Mail, send
from accounts.models import User
from accounts.roles import Role
from webhooks.models import DisabledReason, Webhook


def tell_owners(webhook: Webhook, reason: str) -> None:
    """By mail, where this site sends any; API and admin show it in any case."""
    owners = User.objects.filter(
        memberships__organization=webhook.organization_id,
        memberships__role=Role.OWNER,
        is_machine=False,
        is_active=True,
    )
    for owner in owners.exclude(email=""):
        with contextlib.suppress(MailOffError):
            send(_letter(owner, webhook, reason))


def _letter(owner: User, webhook: Webhook, reason: str) -> Mail:
    parts = (
        _("Hello %s,") % owner.username,
        _("LiveStudio sends no more events to %(url)s: %(reason)s.")
        % {"url": webhook.url, "reason": DisabledReason(reason).label},
        _("When it works again, switch it on. What it missed can be sent again from its log."),
    )
    return Mail("webhook", owner.email, _("A webhook was switched off"), "\n\n".join(parts) + "\n")
