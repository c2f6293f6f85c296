"""Two people change one webhook at the same moment: neither takes back what the other has done."""

from __future__ import annotations

import pytest

from livestudio.common import vault
from livestudio.common.errors import NotFoundError
from tests.factories import Cast
from tests.webhooks.conftest import make_webhook
from webhooks.models import DisabledReason, Webhook
from webhooks.services.endpoints import (
    delete_webhook,
    disable_webhook,
    rotate_secret,
    update_webhook,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_change_of_a_webhook_does_not_bring_its_old_secret_back(cast: Cast) -> None:
    read = make_webhook(cast)
    secret = rotate_secret(webhook=Webhook.objects.get(pk=read.pk), actor=cast.alice)

    changed = update_webhook(webhook=read, values={"description": "Shop"}, actor=cast.alice)

    kept = Webhook.objects.get(pk=read.pk)
    assert vault.open_from(kept, "sealed_secret") == secret
    assert kept.old_secret_until == changed.old_secret_until is not None
    assert kept.description == "Shop"


def test_change_of_a_webhook_does_not_switch_it_on_again(cast: Cast) -> None:
    read = make_webhook(cast)
    disable_webhook(webhook=Webhook.objects.get(pk=read.pk), reason=DisabledReason.GONE)

    update_webhook(webhook=read, values={"description": "Shop"}, actor=cast.alice)

    kept = Webhook.objects.get(pk=read.pk)
    assert (kept.is_active, kept.disabled_reason) == (False, DisabledReason.GONE)


def test_change_of_a_webhook_does_not_make_a_deleted_one_anew(cast: Cast) -> None:
    read = make_webhook(cast)
    delete_webhook(webhook=Webhook.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        update_webhook(webhook=read, values={"description": "Shop"}, actor=cast.alice)
    with pytest.raises(NotFoundError):
        rotate_secret(webhook=read, actor=cast.alice)

    assert not Webhook.objects.exists()
