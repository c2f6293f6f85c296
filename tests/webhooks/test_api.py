"""Webhooks through the API: secrets come out once, addresses are guarded, only owners manage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client as Browser

from accounts.models import AuditEntry
from livestudio.common import vault
from tests.factories import Cast, api_client, error_of
from tests.webhooks.conftest import make_webhook
from webhooks.models import Webhook, WebhookDelivery
from webhooks.services import endpoints, outbox

pytestmark = pytest.mark.django_db

BODY = {"url": "http://127.0.0.1:9/hook", "event_types": ["broadcast.live"]}


def path_of(cast: Cast, *parts: Any) -> str:
    tail = "".join(f"{part}/" for part in parts)
    return f"/api/v1/organizations/{cast.organization.pk}/webhooks/{tail}"


def test_secret_is_shown_once_and_sealed(cast: Cast) -> None:
    client = api_client(cast.alice)

    made = client.post(path_of(cast), BODY, format="json")
    shown = client.get(path_of(cast, made.json()["id"]))
    listed = client.get(path_of(cast))

    webhook, secret = Webhook.objects.get(), made.json()["secret"]
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    assert secret.startswith("whsec_")
    assert vault.open_from(webhook, "sealed_secret") == secret
    for text in (
        shown.content,
        listed.content,
        json.dumps(str(AuditEntry.objects.values())).encode(),
    ):
        assert secret.encode() not in text
    assert listed.json()["results"][0]["event_types"] == ["broadcast.live"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "http://10.0.0.7/"}, "url"),
        ({"url": "http://169.254.169.254/latest/"}, "url"),
        ({"url": "http://user:secret@127.0.0.1/"}, "url"),
        ({"url": ""}, "url"),
        ({"event_types": ["broadcast.vanished"]}, "event_types.0"),
        ({"event_types": "broadcast.live"}, "event_types"),
    ],
)
def test_wrong_values_are_refused_by_name(cast: Cast, change: dict[str, Any], field: str) -> None:
    client = api_client(cast.alice)

    made = client.post(path_of(cast), {**BODY, **change}, format="json")
    changed = client.patch(path_of(cast, make_webhook(cast).pk), change, format="json")

    for answer in (made, changed):
        assert answer.status_code == 400
        assert error_of(answer)["details"][0]["field"] == field


def test_an_organization_has_so_many_and_no_more(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "WEBHOOKS_MAX", 1)
    make_webhook(cast)

    refused = api_client(cast.alice).post(path_of(cast), BODY, format="json")

    assert (refused.status_code, error_of(refused)["code"]) == (409, "too_many_webhooks")


def test_rotated_secret_leaves_the_old_one_for_a_day(cast: Cast) -> None:
    client = api_client(cast.alice)
    made = client.post(path_of(cast), BODY, format="json").json()

    rotated = client.post(path_of(cast, made["id"], "rotate-secret")).json()

    webhook = Webhook.objects.get()
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"] is not None
    assert endpoints.open_secrets(webhook) == [rotated["secret"], made["secret"]]
    webhook.old_secret_until = webhook.created_at
    assert endpoints.open_secrets(webhook) == [rotated["secret"]]


def test_rotating_mends_a_secret_that_cannot_be_read(cast: Cast) -> None:
    webhook = make_webhook(cast)
    Webhook.objects.update(sealed_secret="damaged")

    rotated = api_client(cast.alice).post(path_of(cast, webhook.pk, "rotate-secret"))

    assert endpoints.open_secrets(Webhook.objects.get()) == [rotated.json()["secret"]]


def test_test_event_and_log_and_redelivery(cast: Cast) -> None:
    client, webhook = api_client(cast.alice), make_webhook(cast)

    sent = client.post(path_of(cast, webhook.pk, "test"))
    WebhookDelivery.objects.update(state="failed", attempts=10, next_try_at=None, error="x")
    log = client.get(path_of(cast, webhook.pk, "deliveries"), {"state": "failed"}).json()
    again = client.post(path_of(cast, webhook.pk, "deliveries", sent.json()["id"], "redeliver"))
    empty = client.get(path_of(cast, webhook.pk, "deliveries"), {"state": "failed"}).json()
    wrong = client.get(path_of(cast, webhook.pk, "deliveries"), {"state": "lost"})

    assert (sent.status_code, sent.json()["type"]) == (202, "webhook.test")
    assert json.loads(sent.json()["body"])["data"]["webhook"] == str(webhook.pk)
    assert [row["attempts"] for row in log["results"]] == [10]
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (
        202, "waiting", 0,
    )  # fmt: skip
    assert again.json()["message_id"] == sent.json()["message_id"]
    assert (empty["results"], wrong.status_code) == ([], 400)


def test_no_more_tests_are_sent_than_the_outbox_keeps(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BACKLOG_MAX", 1)
    client, path = api_client(cast.alice), path_of(cast, make_webhook(cast).pk, "test")

    answers = [client.post(path) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
    assert answers[-1]["Retry-After"] == "60"
    assert WebhookDelivery.objects.count() == 2


def test_nothing_is_sent_to_a_webhook_that_is_off(cast: Cast) -> None:
    client, webhook = api_client(cast.alice), make_webhook(cast)
    sent = client.post(path_of(cast, webhook.pk, "test")).json()

    client.patch(path_of(cast, webhook.pk), {"is_active": False}, format="json")
    refused = [
        client.post(path_of(cast, webhook.pk, "test")),
        client.post(path_of(cast, webhook.pk, "deliveries", sent["id"], "redeliver")),
    ]

    assert [error_of(answer)["code"] for answer in refused] == ["webhook_off"] * 2
    assert WebhookDelivery.objects.get().state == "failed"


def test_admin_makes_it_shows_the_secret_once_and_sends_again(cast: Cast) -> None:
    browser = Browser()
    browser.force_login(cast.alice)
    form = {"organization": str(cast.organization.pk), "url": BODY["url"], "is_active": "on"}

    made = browser.post("/admin/webhooks/webhook/add/", form, follow=True)
    webhook = Webhook.objects.get()
    chosen = {"_selected_action": [str(webhook.pk)]}
    browser.post("/admin/webhooks/webhook/", {**chosen, "action": "send_test"})
    WebhookDelivery.objects.update(state="failed", next_try_at=None)
    chosen = {"_selected_action": [str(WebhookDelivery.objects.get().pk)]}
    browser.post("/admin/webhooks/webhookdelivery/", {**chosen, "action": "send_again"})
    page = browser.get(f"/admin/webhooks/webhook/{webhook.pk}/change/")
    refused = browser.post("/admin/webhooks/webhook/add/", {**form, "url": "http://10.0.0.7/"})

    secret = vault.open_from(webhook, "sealed_secret")
    assert secret in made.content.decode()
    assert secret not in page.content.decode()
    assert WebhookDelivery.objects.get().state == "waiting"
    assert "10.0.0.7" in refused.content.decode()
    assert "内网地址" in refused.content.decode()
