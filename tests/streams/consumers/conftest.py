"""Rows that consumers see: committed, since they look from another thread."""

from __future__ import annotations

import pytest

from streams.models import Broadcast, BroadcastState
from streams.services.lifecycle import start_broadcast
from tests.factories import Cast, make_cast
from tests.streams.plans import make_output, make_show


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def broadcast(cast: Cast) -> Broadcast:
    """Launched once (epoch 1), with one RTMP output, not yet on air."""
    output = make_output(cast.organization, cast.alice)
    show = make_show(cast.organization, cast.alice, visibility="unlisted", outputs=[output])
    broadcast = start_broadcast(show=show, actor=cast.alice)
    Broadcast.objects.filter(pk=broadcast.pk).update(lease_epoch=1)
    broadcast.refresh_from_db()
    return broadcast


@pytest.fixture
def live(broadcast: Broadcast) -> Broadcast:
    """On air."""
    Broadcast.objects.filter(pk=broadcast.pk).update(state=BroadcastState.LIVE)
    broadcast.refresh_from_db()
    return broadcast
