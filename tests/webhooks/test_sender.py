"""The sender against a receiver on this machine: what arrives, what is tried again, what is not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from standardwebhooks.webhooks import Webhook as Reference

from accounts.events import emit
from tests.accounts.letters import Postman
from tests.factories import Cast, api_client
from tests.webhooks.conftest import make_webhook
from tests.webhooks.receiver import Receiver, receiving
from webhooks import sender
from webhooks.models import Webhook, WebhookAttempt, WebhookDelivery
from webhooks.services import deliveries
from webhooks.services.endpoints import create_webhook, open_secrets, rotate_secret

pytestmark = pytest.mark.django_db

SHOW = {"show": "s", "title": "早安"}


def send_one(now: datetime | None = None) -> WebhookDelivery:
    """Claim what is due and send it, as the sender's threads do."""
    delivery = deliveries.claim_due(now or timezone.now())
    assert delivery is not None
    deliveries.finish(delivery, sender.post(delivery))
    delivery.refresh_from_db()
    return delivery


@pytest.fixture
def webhook(cast: Cast, receiver: Receiver) -> Webhook:
    return make_webhook(cast, receiver.url)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def test_receiver_gets_what_the_reference_library_verifies(
    cast: Cast, webhook: Webhook, receiver: Receiver
) -> None:
    old = open_secrets(webhook)[0]
    new = rotate_secret(webhook=webhook, actor=cast.alice)
    emit(cast.organization, "show.created", SHOW)

    delivery = send_one()

    (got,) = receiver.received
    for secret in (old, new):
        assert Reference(secret).verify(got.body, got.headers)["data"]["title"] == "早安"
    assert got.body.decode() == delivery.body
    assert (got.path, got.headers["content-type"]) == ("/hook", "application/json")
    assert (delivery.state, delivery.status_code, delivery.attempts) == ("delivered", 200, 1)
    assert (delivery.answer, delivery.error, delivery.next_try_at) == ("thanks", "", None)
    assert delivery.latency_ms is not None
    assert deliveries.claim_due(timezone.now()) is None


def test_what_fails_is_tried_for_three_days_with_one_id(
    cast: Cast, webhook: Webhook, receiver: Receiver, clock: Any
) -> None:
    receiver.status = 500
    emit(cast.organization, "show.created", SHOW)
    began, waits = timezone.now(), []

    while (delivery := send_one()).state == "waiting":
        assert deliveries.claim_due(timezone.now()) is None
        assert delivery.next_try_at is not None
        waits.append((delivery.next_try_at - timezone.now()).total_seconds())
        clock.move_to(delivery.next_try_at)

    assert (delivery.state, delivery.attempts, len(receiver.received)) == ("failed", 10, 10)
    assert delivery.error == "It answered 500."
    assert {got.message_id for got in receiver.received} == {delivery.message_id}
    assert len({got.headers["webhook-timestamp"] for got in receiver.received}) == 10
    tries = list(delivery.tries.order_by("created_at").values_list("number", "status_code"))
    assert tries == [(number, 500) for number in range(1, 11)]
    for wait, planned in zip(waits, deliveries.RETRY_SECONDS, strict=True):
        assert planned <= wait <= planned * 1.21
    assert timedelta(days=3) < timezone.now() - began < timedelta(days=4)


def test_each_try_is_a_row_of_the_log(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    receiver.status, receiver.answer = 503, b"busy"
    emit(cast.organization, "show.created", SHOW)
    put_off = send_one()
    receiver.status, receiver.answer = 200, b"thanks"
    send_one(put_off.next_try_at)

    address = f"/api/v1/organizations/{cast.organization.pk}/webhooks/{webhook.pk}/deliveries/"
    client = api_client(cast.alice)
    (logged,) = client.get(address).json()["results"]
    again = client.post(f"{address}{put_off.pk}/redeliver/").json()

    assert (logged["attempts"], logged["status_code"]) == (2, 200)
    seen = [(row["number"], row["status_code"], row["answer"]) for row in logged["tries"]]
    assert seen == [(2, 200, "thanks"), (1, 503, "busy")]
    assert logged["tries"][1]["error"] == "It answered 503."
    assert (again["attempts"], len(again["tries"])) == (0, 2)


def test_a_webhook_deleted_while_it_is_told_leaves_nothing(
    cast: Cast, webhook: Webhook, receiver: Receiver
) -> None:
    emit(cast.organization, "show.created", SHOW)
    delivery = deliveries.claim_due(timezone.now())
    assert delivery is not None
    outcome = sender.post(delivery)
    webhook.delete()

    deliveries.finish(delivery, outcome)

    assert not WebhookAttempt.objects.exists()


def test_a_failure_is_forgotten_with_the_next_success(
    cast: Cast, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.status = 503
    receiver.headers = {"Retry-After": "1200"}
    emit(cast.organization, "show.created", SHOW)
    put_off = send_one()
    webhook.refresh_from_db()
    failing_since = webhook.failing_since
    receiver.status, receiver.answer = 204, b""
    send_one(put_off.next_try_at)
    webhook.refresh_from_db()

    assert put_off.next_try_at is not None
    assert put_off.next_try_at - timezone.now() > timedelta(seconds=1100)
    assert failing_since is not None
    assert webhook.failing_since is None


def test_gone_switches_it_off_and_drops_what_waits(
    cast: Cast, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.status = 410
    for _ in range(3):
        emit(cast.organization, "show.created", SHOW)

    send_one()

    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.disabled_reason) == (False, "gone")
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"failed"}
    assert deliveries.claim_due(timezone.now()) is None


def test_five_days_of_failure_switch_it_off_and_the_owner_is_told(
    cast: Cast, webhook: Webhook, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    postman = Postman(django_capture_on_commit_callbacks)
    cast.alice.email = "alice@example.org"
    cast.alice.save()
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
    receiver.status = 500
    emit(cast.organization, "show.created", SHOW)

    postman.after(send_one)

    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.disabled_reason) == (False, "failing")
    assert [mail.to for mail in postman.box] == [["alice@example.org"]]
    assert receiver.url in postman.box[0].body


def test_no_redirect_is_followed(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.status, receiver.headers = 307, {"Location": elsewhere.url}
        emit(cast.organization, "show.created", SHOW)

        delivery = send_one()

        assert delivery.state == "waiting"
        assert "elsewhere (307)" in delivery.error
        assert elsewhere.received == []


def test_address_is_checked_again_when_it_is_connected_to(
    cast: Cast, webhook: Webhook, receiver: Receiver, settings: Any
) -> None:
    settings.EGRESS_ALLOW = ()
    emit(cast.organization, "show.created", SHOW)

    delivery = send_one()

    assert delivery.status_code is None
    assert "this machine itself" in delivery.error
    assert receiver.received == []


@pytest.mark.usefixtures("webhook")
def test_receiver_that_does_not_answer_is_given_up(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TOTAL_SECONDS", 0.3)
    receiver.wait_seconds = 300.0
    emit(cast.organization, "show.created", SHOW)

    slow = send_one()

    assert "No answer within" in slow.error
    assert slow.latency_ms is not None
    assert 300 <= slow.latency_ms < 300_000  # it did not wait for the receiver


def test_receiver_that_is_gone_is_named(cast: Cast) -> None:
    make_webhook(cast, "http://127.0.0.1:9/")
    emit(cast.organization, "show.created", SHOW)

    assert "127.0.0.1:9" in send_one().error


def test_a_large_or_packed_answer_is_cut(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    receiver.answer = b"x" * 100_000
    emit(cast.organization, "show.created", SHOW)
    large = send_one()
    receiver.answer = gzip.compress(b"\0" * 10_000_000)
    receiver.headers = {"Content-Encoding": "gzip"}
    emit(cast.organization, "show.created", SHOW)
    packed = send_one()

    assert (large.state, len(large.answer)) == ("delivered", 1000)
    assert (packed.state, len(packed.answer) <= 1000) == ("delivered", True)


def test_each_delivery_is_in_the_hands_of_one_and_of_the_next_when_that_one_died(
    cast: Cast, webhook: Webhook
) -> None:
    emit(cast.organization, "show.created", SHOW)
    now = timezone.now()
    first = deliveries.claim_due(now)
    assert first is not None

    assert deliveries.claim_due(now) is None
    later = now + timedelta(seconds=deliveries.CLAIM_SECONDS)
    second = deliveries.claim_due(later)

    assert second is not None
    assert (second.pk, second.attempts) == (first.pk, 2)
    # The first was not dead after all: what it has to say is out of date.
    deliveries.finish(first, deliveries.Outcome(500, 1))
    first.refresh_from_db()
    assert (first.state, first.claimed_until) == (
        "waiting", later + timedelta(seconds=deliveries.CLAIM_SECONDS),
    )  # fmt: skip


def test_a_receiver_that_hangs_does_not_hold_up_the_others(cast: Cast, webhook: Webhook) -> None:
    for _ in range(5):
        emit(cast.organization, "show.created", SHOW)
    other = make_webhook(cast)
    emit(cast.organization, "show.created", SHOW)
    now = timezone.now()

    claimed = [deliveries.claim_due(now) for _ in range(4)]

    ids = [row.webhook_id for row in claimed if row is not None]
    assert sorted(ids) == sorted([webhook.pk, webhook.pk, other.pk])


def test_receivers_of_one_organization_that_hang_do_not_hold_up_those_of_another(
    cast: Cast,
) -> None:
    for _ in range(sender.AT_ONCE):
        make_webhook(cast)
    emit(cast.organization, "show.created", SHOW)
    values = {"url": "http://127.0.0.1:9/"}
    charlies, _ = create_webhook(organization=cast.elsewhere, values=values, actor=cast.charlie)
    emit(cast.elsewhere, "show.created", SHOW)
    now = timezone.now()

    claimed = [deliveries.claim_due(now) for _ in range(sender.AT_ONCE)]

    ids = [row.webhook_id for row in claimed if row is not None]
    assert len(ids) == deliveries.AT_ONCE_PER_ORGANIZATION + 1
    assert charlies.pk in ids


def test_a_secret_that_cannot_be_read_is_told_in_the_log(cast: Cast, webhook: Webhook) -> None:
    Webhook.objects.update(sealed_secret="damaged")
    emit(cast.organization, "show.created", SHOW)

    delivery = send_one()

    assert delivery.state == "waiting"
    assert "secret" in delivery.error or "密钥" in delivery.error


def test_the_log_and_old_secrets_go_after_their_time(cast: Cast, webhook: Webhook) -> None:
    rotate_secret(webhook=webhook, actor=cast.alice)
    emit(cast.organization, "show.created", SHOW)
    emit(cast.organization, "show.changed", SHOW)
    send_one()
    later = timezone.now() + timedelta(days=31)

    assert deliveries.sweep(later) == 1

    webhook.refresh_from_db()
    assert webhook.sealed_old_secret == ""
    assert json.loads(WebhookDelivery.objects.get().body)["type"] == "show.changed"
