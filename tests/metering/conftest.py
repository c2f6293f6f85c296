"""The cast, a moment, and a way to give Alice's organization a plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache

from accounts.roles import SYSTEM
from metering.hooks import Passed
from metering.models import Plan
from metering.services import plans
from metering.services.counting import Holder
from tests.factories import Cast, make_cast

Limit = Callable[..., Plan]
# 20:00 in Shanghai.
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def limit(cast: Cast) -> Limit:
    """`limit(broadcast_minutes=60)`: the plan of Alice's organization from now on."""

    def give(**limits: int) -> Plan:
        plan = Plan.objects.create(name=f"Plan {Plan.objects.count() + 1}")
        plans.set_plan_limits(plan=plan, limits=limits, actor=SYSTEM)
        plans.assign_plan(organization=cast.organization, plan=plan, actor=SYSTEM)
        return plan

    return give


@pytest.fixture
def holder(cast: Cast) -> Holder:
    return Holder(cast.organization.pk, "b-1", "Evening")


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[Passed]:
    """What the inside is told, after each commit."""
    told: list[Passed] = []
    monkeypatch.setattr("metering.hooks.QUOTA_WARNED", [told.append])
    monkeypatch.setattr("metering.hooks.QUOTA_REACHED", [told.append])
    return told


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the outside is told, in the transaction."""
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        "accounts.events.EVENT_HAPPENED", [lambda item: told.append((item.kind, item.data))]
    )
    return told
