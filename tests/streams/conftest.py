"""The cast and their clients."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client as Browser

from accounts.roles import Role
from streams.models import Broadcast
from tests.factories import Cast, add_member, make_cast
from tests.streams.plans import Client, put_live


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast) -> Client:
    """Owns the organization."""
    return Client(cast.alice)


@pytest.fixture
def bob(cast: Cast) -> Client:
    """Operates, and may not edit."""
    return Client(cast.bob)


@pytest.fixture
def charlie(cast: Cast) -> Client:
    """Belongs to another organization."""
    return Client(cast.charlie)


@pytest.fixture
def dora(cast: Cast) -> Client:
    """May only look."""
    return Client(add_member(cast.organization, Role.VIEWER, "dora"))


@pytest.fixture
def nobody(db: None) -> Client:
    """Not signed in."""
    return Client(None)


@pytest.fixture
def broadcast(cast: Cast) -> Broadcast:
    """Live, of Alice's organization."""
    return put_live(cast)


@pytest.fixture
def browser(cast: Cast) -> Browser:
    """Alice in the admin."""
    browser = Browser()
    browser.force_login(cast.alice)
    return browser
