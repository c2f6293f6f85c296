"""Plans, and how an organization's quota is set: by superusers, its closing line by owners too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from accounts.audit import record
from accounts.models import Organization, User
from accounts.roles import SystemActor, require_permission
from livestudio.common.errors import ForbiddenError, InvalidInputError
from metering.meters import LIMITED
from metering.models import LimitOverride, OrganizationQuota, Plan, PlanLimit

Actor = User | SystemActor
OWN_FIELDS: Final = ("timezone", "closing", "closing_line_zh", "closing_line_en")


def save_plan(*, plan: Plan, actor: Actor) -> Plan:
    """Keep a plan; of several default plans the one saved last is it."""
    require_superuser(actor)
    with transaction.atomic():
        plan.save()
        if plan.is_default:
            Plan.objects.exclude(pk=plan.pk).filter(is_default=True).update(is_default=False)
        record(actor, "metering.plan.saved", plan, data={"name": plan.name})
    return plan


def set_plan_limits(*, plan: Plan, limits: Mapping[str, int], actor: Actor) -> None:
    """What the plan allows of each meter; those left out are not limited."""
    require_superuser(actor)
    _check_meters(limits)
    with transaction.atomic():
        PlanLimit.objects.filter(plan=plan).delete()
        for meter, limit in limits.items():
            PlanLimit.objects.create(plan=plan, meter=meter, limit=limit)
        record(actor, "metering.plan.limits_set", plan, data={"limits": dict(limits)})


def assign_plan(
    *,
    organization: Organization,
    plan: Plan | None,
    overrides: Mapping[str, int | None] | None = None,
    actor: Actor,
) -> OrganizationQuota:
    """Give an organization a plan. overrides: instead of those there are; None keeps them."""
    require_superuser(actor)
    _check_meters(overrides or {})
    with transaction.atomic():
        quota = quota_of(organization)
        quota.plan = plan
        quota.save(update_fields=["plan", "updated_at"])
        if overrides is not None:
            LimitOverride.objects.filter(quota=quota).delete()
            for meter, limit in overrides.items():
                LimitOverride.objects.create(quota=quota, meter=meter, limit=limit)
        record(actor, "metering.plan.assigned", quota, data={"plan": plan.name if plan else None})
    return quota


def set_closing(
    *, organization: Organization, values: Mapping[str, Any], actor: Actor
) -> OrganizationQuota:
    """When the organization's day begins, and how its shows end. values: of OWN_FIELDS."""
    require_permission(actor, "organization.manage", organization)
    if "timezone" in values:
        check_zone(str(values["timezone"]))
    with transaction.atomic():
        quota = quota_of(organization)
        names = sorted(set(OWN_FIELDS) & values.keys())
        for name in names:
            setattr(quota, name, values[name])
        quota.save(update_fields=[*names, "updated_at"])
        record(actor, "metering.quota.changed", quota, data={"fields": sorted(values)})
    return quota


def quota_of(organization: Organization) -> OrganizationQuota:
    """Its row, made if need be."""
    return OrganizationQuota.objects.get_or_create(organization=organization)[0]


def check_zone(name: str) -> None:
    """Raises InvalidInputError unless there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"There is no time zone {name}. Write it as in Asia/Shanghai."
        raise InvalidInputError.of("timezone", message, "unknown_zone") from error


def require_superuser(actor: Actor) -> None:
    """Raises ForbiddenError: what an organization may use is not its own to say."""
    if isinstance(actor, User) and not (actor.is_active and actor.is_superuser):
        raise ForbiddenError("Only an administrator of this site may change plans.")


def _check_meters(limits: Mapping[str, Any]) -> None:
    for meter in limits:
        if meter not in LIMITED:
            message = f"There is no limit {meter!r}. There are: {', '.join(LIMITED)}."
            raise InvalidInputError.of("meter", message, "invalid_choice")
