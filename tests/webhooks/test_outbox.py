"""Events become deliveries with the change that they tell of, or not at all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.event_types import EVENT_TYPES
from accounts.events import emit
from tests.factories import Cast
from tests.webhooks.conftest import make_webhook
from webhooks.models import WebhookDelivery
from webhooks.services import deliveries, outbox
from webhooks.services.outbox import delivery_to

pytestmark = pytest.mark.django_db

SHOW = {"show": "s", "title": "早安"}


def kinds() -> list[str]:
    return sorted(WebhookDelivery.objects.values_list("kind", flat=True))


def fake_data(kind: str) -> dict[str, Any]:
    return dict.fromkeys(EVENT_TYPES[kind].fields)


def test_event_goes_to_the_webhooks_that_want_it(cast: Cast) -> None:
    every = make_webhook(cast)
    chosen = make_webhook(cast, event_types=["show.created", "utterance.said"])
    make_webhook(cast, event_types=["output.live"])
    make_webhook(cast, is_active=False)

    emit(cast.organization, "show.created", SHOW)
    emit(cast.organization, "utterance.said", fake_data("utterance.said"))
    emit(cast.elsewhere, "show.created", SHOW)

    sent = {(row.webhook_id, row.kind) for row in WebhookDelivery.objects.all()}
    assert sent == {
        (every.pk, "show.created"),
        (chosen.pk, "show.created"),
        (chosen.pk, "utterance.said"),
    }


def test_body_has_type_timestamp_and_data_and_one_id_for_all(cast: Cast) -> None:
    make_webhook(cast)
    make_webhook(cast)

    emit(cast.organization, "show.created", SHOW)

    first, second = WebhookDelivery.objects.all()
    body = json.loads(first.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert (body["type"], body["timestamp"][-1]) == ("show.created", "Z")
    assert body["data"] == {"organization": str(cast.organization.pk), **SHOW}
    assert (first.message_id, first.body) == (second.message_id, second.body)
    assert first.message_id.startswith("msg_")


def test_nothing_is_told_of_a_change_that_was_rolled_back(cast: Cast) -> None:
    make_webhook(cast)

    with transaction.atomic():
        emit(cast.organization, "show.created", SHOW)
        transaction.set_rollback(True)

    assert kinds() == []


def test_a_receiver_that_is_down_fills_no_table(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BACKLOG_MAX", 3)
    make_webhook(cast)

    for _ in range(6):
        emit(cast.organization, "show.created", SHOW)

    assert len(kinds()) == 4


def test_old_entries_of_the_log_go_a_bounded_number_at_a_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "DELETED_PER_SWEEP", 2)
    webhook = make_webhook(cast)
    for number in range(3):
        delivery_to(webhook, "show.created", f"msg_{number}", "{}").save()
    old = timezone.now() - deliveries.LOG_KEPT_FOR - timedelta(days=1)
    WebhookDelivery.objects.update(state="delivered", created_at=old)

    counts = [deliveries.sweep(timezone.now()) for _ in range(3)]

    assert counts == [2, 1, 0]
