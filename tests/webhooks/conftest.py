"""The cast with a webhook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import Cast, make_cast
from tests.webhooks.receiver import Receiver, receiving
from webhooks.models import Webhook
from webhooks.services.endpoints import create_webhook


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW = ("loopback",)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def make_webhook(cast: Cast, url: str = "http://127.0.0.1:9/", **values: Any) -> Webhook:
    """A webhook of Alice's organization."""
    values = {"url": url, **values}
    return create_webhook(organization=cast.organization, values=values, actor=cast.alice)[0]
