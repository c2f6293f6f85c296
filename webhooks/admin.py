"""Webhooks and their log in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.event_types import EVENT_TYPES
from accounts.models import User
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    ReadOnly,
)
from livestudio.common.errors import DomainError
from webhooks.errors import WebhookOffError
from webhooks.models import Webhook, WebhookAttempt, WebhookDelivery
from webhooks.services import deliveries, endpoints

_FIELDS = ("url", "description", "event_types", "is_active")


class WebhookForm(OneOrganizationForm):
    event_types = forms.MultipleChoiceField(
        label=_("event types"),
        choices=[(name, name) for name in EVENT_TYPES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None: every type but sentences, of which there are many, and tests."),
    )

    class Meta:
        model = Webhook
        fields = ("organization", *_FIELDS)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if self.errors:
            return
        try:
            endpoints.check_webhook(self.instance)
        except DomainError as error:
            self.add_error("url", error.message)


@admin.register(Webhook)
class WebhookAdmin(OrganizationScopedAdmin):
    form = WebhookForm
    looks_ahead = True
    view_permission = edit_permission = endpoints.PERMISSION
    fields = ("organization", *_FIELDS, "disabled_reason", "failing_since")
    readonly_fields = ("disabled_reason", "failing_since")
    list_display = ("__str__", "is_active", "disabled_reason", "failing_since", "organization")
    list_filter = ("organization", "is_active")
    actions = ("send_test", "rotate_secret")

    @admin.action(description=_("Send a test event"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: Any) -> None:
        try:
            for webhook in queryset.select_related("organization"):
                deliveries.send_test(webhook=webhook, actor=_actor(request))
        except WebhookOffError:
            self.message_user(request, gettext("Switch the webhook on first."), messages.ERROR)
            return
        self.message_user(request, gettext("Sent; the deliveries show what comes of it."))

    @admin.action(description=_("Replace the secret"), permissions=["change"])
    def rotate_secret(self, request: HttpRequest, queryset: Any) -> None:
        for webhook in queryset.select_related("organization"):
            secret = endpoints.rotate_secret(webhook=webhook, actor=_actor(request))
            self._show_secret(request, secret)
        self.message_user(request, gettext("The old secret signs too for 24 hours."))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in _FIELDS if name in form.cleaned_data}
        if change:
            stored = Webhook.objects.for_organization(obj.organization).get(pk=obj.pk)
            endpoints.update_webhook(webhook=stored, values=values, actor=_actor(request))
            return
        made, secret = endpoints.create_webhook(
            organization=obj.organization, values=values, actor=_actor(request)
        )
        obj.pk, obj._state.adding = made.pk, False
        self._show_secret(request, secret)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        endpoints.delete_webhook(webhook=obj, actor=_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for webhook in queryset:
            endpoints.delete_webhook(webhook=webhook, actor=_actor(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The log goes with it; listing thousands of its entries would tell nothing."""
        return [str(webhook) for webhook in objs], {}, set(), []

    def _show_secret(self, request: HttpRequest, secret: str) -> None:
        text = gettext("Keep this secret now, it is never shown again: %s") % secret
        self.message_user(request, text, messages.WARNING)


class WebhookAttemptInline(ReadOnly, OrganizationScopedInline):
    model = WebhookAttempt
    organization_field = "delivery__webhook__organization"
    view_permission = endpoints.PERMISSION
    fields = readonly_fields = (
        "number",
        "created_at",
        "status_code",
        "latency_ms",
        "error",
        "answer",
    )


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, OrganizationScopedAdmin):
    organization_field = "webhook__organization"
    view_permission = endpoints.PERMISSION
    list_display = (
        "created_at", "kind", "webhook", "state", "attempts", "status_code", "latency_ms",
        "next_try_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "webhook")
    list_select_related = ("webhook",)
    fields = (
        "webhook", "kind", "message_id", "state", "attempts", "tried_at", "next_try_at",
        "status_code", "latency_ms", "error", "answer", "body",
    )  # fmt: skip
    inlines = (WebhookAttemptInline,)
    actions = ("send_again",)

    @admin.action(description=_("Send again"), permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        try:
            for delivery in queryset.select_related("webhook__organization"):
                deliveries.redeliver(delivery=delivery, actor=_actor(request))
        except WebhookOffError:
            self.message_user(request, gettext("Switch the webhook on first."), messages.ERROR)
            return
        self.message_user(request, gettext("Sent; the deliveries show what comes of it."))


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
