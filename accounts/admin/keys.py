"""API keys: made by owners, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.models import ApiKey
from accounts.roles import SCOPES
from accounts.services import api_keys
from livestudio.common.admin import OneOrganizationForm, OrganizationScopedAdmin


class ApiKeyForm(OneOrganizationForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(scope, scope) for scope in sorted(SCOPES)],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("organization", "name", "scopes", "expires_at")

    def clean_expires_at(self) -> Any:
        value = self.cleaned_data["expires_at"]
        if value is not None and value <= timezone.now():
            raise forms.ValidationError(gettext("Give a time in the future."))
        return value


@admin.register(ApiKey)
class ApiKeyAdmin(OrganizationScopedAdmin):
    """A key cannot be changed: make another, then revoke this one."""

    form = ApiKeyForm
    view_permission = edit_permission = "organization.manage"
    list_display = ("name", "prefix", "organization", "created_by", "expires_at", "last_used_at")
    list_select_related = ("organization", "created_by")
    list_filter = ("organization",)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(revoked_at=None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked, so that the audit trail still names it

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return super().get_fields(request, obj)
        return ("organization", "name", "prefix", "granted", "expires_at", "last_used_at")

    @admin.display(description=_("scopes"))
    def granted(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.action(description=_("Revoke the chosen keys"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for key in queryset.select_related("membership", "organization"):
            api_keys.revoke_api_key(key=key, actor=signed_in(request))
        self.message_user(request, gettext("The keys are refused from now on."))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        draft = api_keys.ApiKeyDraft(
            obj.name, frozenset(form.cleaned_data["scopes"]), obj.expires_at
        )
        key, plain = api_keys.create_api_key(
            organization=obj.organization, draft=draft, actor=signed_in(request)
        )
        obj.pk, obj.prefix = key.pk, key.prefix
        text = gettext("Keep this key now, it is never shown again: %s") % plain
        self.message_user(request, text, messages.WARNING)
