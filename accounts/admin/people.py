"""Users for superusers; organizations, members and audit for those they belong to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UsernameField
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import get_managed_organization
from accounts.actor import signed_in
from accounts.admin.audit_words import ActionFilter, describe_action
from accounts.admin.organization_life import organization_life_view
from accounts.audit import record
from accounts.credentials import tell_lost_right
from accounts.errors import TwoFactorOffError
from accounts.models import AuditEntry, Membership, Organization, TotpDevice, User
from accounts.services import members, two_factor
from accounts.services.deletion import delete_organization
from accounts.services.hashing import password_work
from accounts.services.organizations import refuse_while_busy, rename_organization
from livestudio.common.admin import OrganizationScopedAdmin, ReadOnly
from livestudio.common.admin_site import studio_site

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
    _CreationForm = AdminUserCreationForm[User]
else:
    _UserAdmin, _CreationForm = UserAdmin, AdminUserCreationForm


class LowerCaseUsernameField(UsernameField):
    """Takes a name in any case, as the API does."""

    def to_python(self, value: Any) -> Any:
        name = super().to_python(value)
        return User.normalize_username(name) if isinstance(name, str) else name


class NewUserForm(_CreationForm):
    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = {"username": LowerCaseUsernameField}


@admin.register(User)
class AccountAdmin(_UserAdmin):
    """Only superusers: a user may belong to several organizations."""

    add_form = NewUserForm
    list_display = (
        "username", "email", "is_active", "is_staff", "is_superuser", "has_two_factor",
    )  # fmt: skip
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "email")
    readonly_fields = ("last_login",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        (None, {"fields": ("is_active", "is_staff", "is_superuser", "last_login")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    actions = ("switch_two_factor_off",)

    @admin.display(description=_("two-factor sign-in"), boolean=True)
    def has_two_factor(self, user: Any) -> bool:
        return bool(user.asks_for_a_code)

    @admin.action(description=_("Switch two-factor sign-in off, for those who lost their app"))
    def switch_two_factor_off(self, request: HttpRequest, queryset: Any) -> None:
        for user in queryset:
            with contextlib.suppress(TwoFactorOffError):
                two_factor.switch_off(user=user, actor=signed_in(request))
        self.message_user(request, gettext("They sign in with their password alone now."))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and {"is_active", "is_superuser"} & set(form.changed_data):
            tell_lost_right(obj)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record(signed_in(request), "accounts.user.created", obj, data={"username": obj.username})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Of the form and of the page for a new password."""
        data = {"username": obj.username, "fields": changed_fields(message)}
        record(signed_in(request), "accounts.user.changed", obj, data=data)
        return super().log_change(request, obj, message)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        # What is told is told after the commit, also of the action for many.
        with transaction.atomic():
            self._before_deletion(request, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            for user in queryset:
                self._before_deletion(request, user)
            super().delete_queryset(request, queryset)

    def _before_deletion(self, request: HttpRequest, user: User) -> None:
        tell_lost_right(user)
        record(signed_in(request), "accounts.user.deleted", user, data={"username": user.username})

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return studio_site().hashing(
            request, lambda: super(AccountAdmin, self).add_view(request, *args, **kwargs)
        )

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return studio_site().hashing(
            request,
            lambda: super(AccountAdmin, self).user_change_password(request, *args, **kwargs),
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        """People; the users of API keys come and go with their keys."""
        confirmed = TotpDevice.objects.filter(
            user=models.OuterRef("pk"), confirmed_at__isnull=False
        )
        people = super().get_queryset(request).filter(is_machine=False)
        return people.annotate(asks_for_a_code=models.Exists(confirmed))


def changed_fields(message: Any) -> list[str]:
    """The names in a message of Django's log, which are English there."""
    parts = message if isinstance(message, list) else []
    return sorted(str(name) for part in parts for name in part.get("changed", {}).get("fields", ()))


@admin.register(Organization)
class OrganizationAdmin(OrganizationScopedAdmin):
    organization_field = "pk"
    edit_permission = "organization.manage"
    list_display = ("name", "created_at", "delete_after")
    readonly_fields = ("created_at", "delete_after")
    search_fields = ("name",)
    change_form_template = "accounts/admin/organization_form.html"

    def organization_of(self, row: models.Model) -> Any:
        return row

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(organization_life_view)
        route = path("<uuid:organization_id>/life/", view, name="accounts_organization_life")
        return [route, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        row = self.get_object(request, object_id)
        may_manage = row is not None and self.has_change_permission(request, row)
        context = {**(extra_context or {}), "may_manage": may_manage}
        return super().change_view(request, object_id, form_url, context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """At once and with its files; owners have a page with a time of grace."""
        refuse_while_busy(obj)
        delete_organization(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for organization in queryset:
            self.delete_model(request, organization)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Everything in it goes; thousands of rows would tell nothing."""
        return [str(organization) for organization in objs], {}, set(), []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            actor = signed_in(request)
            saved = get_managed_organization(actor, obj.pk)
            rename_organization(organization=saved, name=form.cleaned_data["name"], actor=actor)
            return
        made = members.create_organization(name=obj.name, owner=signed_in(request))
        obj.pk = made.pk

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(Membership)
class MembershipAdmin(OrganizationScopedAdmin):
    edit_permission = "organization.manage"
    list_display = ("user", "organization", "role")
    list_filter = ("organization", "role")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).filter(user__is_machine=False)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = User.objects.filter(is_machine=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "user") if obj is not None else fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = signed_in(request)
        if change:
            members.change_role(membership=obj, role=form.cleaned_data["role"], actor=actor)
            return
        saved = members.set_role(
            organization=obj.organization, user=obj.user, role=obj.role, actor=actor
        )
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        members.remove_member(membership=obj, actor=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for membership in queryset:
            members.remove_member(membership=membership, actor=signed_in(request))


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, OrganizationScopedAdmin):
    view_permission = "audit.view"
    list_display = ("created_at", "actor", "done", "object_id")
    list_filter = ("organization", "created_at", "actor", ("action", ActionFilter))
    list_select_related = ("actor",)
    search_fields = ("object_id", "action", "actor__username")
    fields = (
        "created_at", "actor", "done", "action", "object_type", "object_id", "data", "organization",
    )  # fmt: skip
    readonly_fields = ("done",)

    @admin.display(description=_("what was done"), ordering="action")
    def done(self, entry: AuditEntry) -> str:
        return describe_action(entry.action)


admin.site.unregister(Group)
studio_site().set_password_work(password_work)
admin.site.site_header = admin.site.site_title = "LiveStudio"
