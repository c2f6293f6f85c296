"""Signatures, judged by the reference library of the specification."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from webhooks.signing import headers_of, new_secret

BODY = '{"type":"show.created","data":{"title":"早安"}}'.encode()


def test_reference_library_takes_what_we_sign() -> None:
    secret = new_secret()
    headers = headers_of("msg_1", int(time.time()), BODY, [secret])

    assert Webhook(secret).verify(BODY, headers)["type"] == "show.created"
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_that_is_signed_can_be_changed(part: str) -> None:
    secret, now = new_secret(), int(time.time())
    headers = headers_of("msg_1", now, BODY, [secret])
    changed = {"webhook-id": "msg_2", "webhook-timestamp": str(now + 1)}
    body = BODY + b" " if part == "body" else BODY

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {**headers, **{part: changed.get(part, "")}})


def test_two_secrets_sign_so_that_a_receiver_may_know_either() -> None:
    old, new = new_secret(), new_secret()
    headers = headers_of("msg_1", int(time.time()), BODY, [new, old])

    assert Webhook(old).verify(BODY, headers)
    assert Webhook(new).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)
