"""Two worlds for the tests of this folder."""

from __future__ import annotations

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.services import members
from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.world import World, make_worlds


@pytest.fixture
def worlds(db: None) -> tuple[World, World]:
    """Alice's and Charlie's, alike to the last row."""
    return make_worlds()


@pytest.fixture
def owner_of_both(worlds: tuple[World, World]) -> User:
    """Alice, an owner of the other organization too: she may see whatever she names."""
    home, away = worlds
    members.set_role(
        organization=away.cast.organization,
        user=home.cast.alice,
        role=Role.OWNER,
        actor=away.cast.alice,
    )
    return home.cast.alice


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    put_stand_ins(monkeypatch)
