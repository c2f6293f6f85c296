"""Two worlds for the tests of this folder."""

from __future__ import annotations

import pytest

from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.world import World, make_worlds


@pytest.fixture
def worlds(db: None) -> tuple[World, World]:
    """Alice's and Charlie's, alike to the last row."""
    return make_worlds()


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    put_stand_ins(monkeypatch)
