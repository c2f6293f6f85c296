"""Tickets that nobody used."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import ConnectionTicket
from streams.services.lifecycle import start_broadcast
from streams.services.tickets import create_ticket, forget_expired_tickets
from tests.factories import Cast
from tests.streams.plans import make_show

pytestmark = pytest.mark.django_db


def test_tickets_that_nobody_used_are_forgotten(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    broadcast = start_broadcast(show=show, actor=cast.alice)
    for _ in range(2):
        create_ticket(broadcast=broadcast, purpose="watch", user=None, origin="")
    assert forget_expired_tickets() == 0
    ConnectionTicket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    create_ticket(broadcast=broadcast, purpose="watch", user=None, origin="")

    assert forget_expired_tickets() == 2
    assert ConnectionTicket.objects.count() == 1
