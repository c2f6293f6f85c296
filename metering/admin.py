"""Plans for superusers; how far an organization has come with its own, for its owners."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, User
from livestudio.common.admin import OrganizationScopedAdmin, OrganizationScopedInline
from metering.limits import plan_of
from metering.meters import METERS, WARN_SHARE, Meter
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
        "organization", "plan", "usage", "timezone", "closing", "closing_line_zh",
        "closing_line_en",
    )  # fmt: skip
    readonly_fields = ("usage",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Who has one organization comes straight to its page, which is made if need be."""
        user = signed_in(request)
        own = Organization.objects.filter(memberships__user=user)
        rows = [plans.quota_of(organization) for organization in own]
        if len(rows) == 1 and not user.is_superuser and self.has_view_permission(request, rows[0]):
            name = "admin:metering_organizationquota_change"
            return HttpResponseRedirect(reverse(name, args=[rows[0].pk]))
        return super().changelist_view(request, extra_context)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "plan_in_force")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may not choose the plan reads which one holds."""
        fields = tuple(super().get_fields(request, obj))
        if request.user.is_superuser:
            return fields
        return tuple("plan_in_force" if name == "plan" else name for name in fields)

    @admin.display(description=_("plan"))
    def plan_in_force(self, quota: OrganizationQuota) -> str:
        plan = plan_of(quota.organization_id)
        return plan.name if plan else gettext("none: nothing is limited")

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
        lines = format_html_join("", "{}", ((_line(row),) for row in rows))
        return format_html('<table class="usage-table"><tbody>{}</tbody></table>', lines)


def _line(row: dict[str, Any]) -> str:
    """A row of the table: what, how full, how much of how much."""
    meter, used, limit = METERS[row["meter"]], row["used"], row["limit"]
    if limit is None:
        bar, amount = "", _amount(meter, used)
    else:
        bar = format_html(
            '<meter min="0" max="{}" high="{}" value="{}" aria-label="{}"></meter>',
            limit, limit * WARN_SHARE, min(used, limit), meter.label,
        )  # fmt: skip
        amount = f"{_amount(meter, used)} / {_amount(meter, limit)}"
    return format_html(
        '<tr><th scope="row">{}</th><td>{}</td><td class="amount">{}</td></tr>',
        meter.label, bar, amount,
    )  # fmt: skip


def _amount(meter: Meter, amount: float) -> str:
    return filesizeformat(amount) if meter.name == "storage_bytes" else f"{amount:,}"
