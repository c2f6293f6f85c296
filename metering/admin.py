"""Plans for superusers; how far an organization has come with its own, for its owners."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from livestudio.common.admin import OrganizationScopedAdmin, OrganizationScopedInline
from metering.meters import METERS
from metering.models import LimitOverride, OrganizationQuota, Plan, PlanLimit
from metering.selectors import meters_json
from metering.services import plans


def signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


class PlanLimitInline(admin.TabularInline):  # type: ignore[type-arg]
    model = PlanLimit
    extra = 0


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Django's own rights hold: superusers alone have them."""

    list_display = ("name", "is_default", "allows")
    inlines = (PlanLimitInline,)

    @admin.display(description=_("limits"))
    def allows(self, plan: Plan) -> str:
        return " · ".join(str(limit) for limit in plan.limits.all()) or "–"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        plans.save_plan(plan=obj, actor=signed_in(request))


class LimitOverrideInline(OrganizationScopedInline):
    """Superusers write it, owners read it."""

    model = LimitOverride
    organization_field = "quota__organization"

    def _may(self, request: HttpRequest, permission: str | None, row: Any) -> bool:
        if permission is None:
            return bool(request.user.is_superuser)
        return super()._may(request, permission, row)


@admin.register(OrganizationQuota)
class OrganizationQuotaAdmin(OrganizationScopedAdmin):
    """The plan is set by superusers; time zone and closing line by owners too."""

    edit_permission = "organization.manage"
    list_display = ("organization", "plan", "timezone", "closing")
    list_select_related = ("organization", "plan")
    inlines = (LimitOverrideInline,)
    fields = (
        "organization", "plan", "timezone", "closing", "closing_line_zh", "closing_line_en",
        "usage",
    )  # fmt: skip
    readonly_fields = ("usage",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "plan")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor, organization = signed_in(request), obj.organization
        if actor.is_superuser:
            plans.assign_plan(organization=organization, plan=obj.plan, actor=actor)
        values = {name: getattr(obj, name) for name in plans.OWN_FIELDS}
        saved = plans.set_closing(organization=organization, values=values, actor=actor)
        obj.pk = saved.pk

    @admin.display(description=_("in use now"))
    def usage(self, quota: OrganizationQuota) -> str:
        if quota._state.adding:
            return "–"
        rows = meters_json(quota.organization_id, timezone.now())
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", map(_line, rows)))


def _line(row: dict[str, Any]) -> tuple[Any, str]:
    amounts = [row["used"]] if row["limit"] is None else [row["used"], row["limit"]]
    return METERS[row["meter"]].label, " / ".join(f"{amount:,}" for amount in amounts)
