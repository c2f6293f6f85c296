"""What an organization may use: its own limits over its plan's, over the default plan's."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from metering.meters import METERS, get_meter
from metering.models import LimitOverride, OrganizationQuota, Plan, PlanLimit


def limits_of(organization_id: UUID) -> dict[str, int | None]:
    """The limit of each meter in stored units, None = not limited."""
    quota = OrganizationQuota.objects.filter(organization=organization_id).first()
    shown: dict[str, int | None] = dict.fromkeys(METERS)
    shown |= dict(_of_plan(quota))
    if quota is not None:
        shown |= dict(LimitOverride.objects.filter(quota=quota).values_list("meter", "limit"))
    return {
        name: None if limit is None else limit * METERS[name].unit_size
        for name, limit in shown.items()
        if name in METERS
    }


def limit_of(organization_id: UUID, meter: str) -> int | None:
    """The limit of one meter in stored units, None = not limited."""
    return limits_of(organization_id)[get_meter(meter).name]


def zone_of(organization_id: UUID) -> ZoneInfo:
    """Where the organization's day begins."""
    quota = OrganizationQuota.objects.filter(organization=organization_id).first()
    return ZoneInfo((quota or OrganizationQuota()).timezone)


def plan_of(organization_id: UUID) -> Plan | None:
    """The plan that holds, its own or the default one."""
    quota = OrganizationQuota.objects.filter(organization=organization_id).first()
    if quota is not None and quota.plan is not None:
        own: Plan = quota.plan
        return own
    return Plan.objects.filter(is_default=True).first()


def _of_plan(quota: OrganizationQuota | None) -> list[tuple[str, int]]:
    has_plan = quota is not None and quota.plan_id is not None
    rows = PlanLimit.objects.filter(plan=quota.plan_id) if quota and has_plan else None
    rows = PlanLimit.objects.filter(plan__is_default=True) if rows is None else rows
    return list(rows.values_list("meter", "limit"))
