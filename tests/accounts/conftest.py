"""Fixtures of sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from tests.accounts.letters import Postman
from tests.factories import Cast, make_cast


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice, Bob and Charlie, with nothing counted against them."""
    cache.clear()
    return make_cast()


@pytest.fixture
def postman(
    db: None, mailoutbox: list[Any], settings: Any, django_capture_on_commit_callbacks: Any
) -> Postman:
    """Mail goes out, into a box that the test can open."""
    cache.clear()
    settings.MAIL = "sent"
    return Postman(django_capture_on_commit_callbacks)
