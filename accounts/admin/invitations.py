"""Invitations: made and revoked by owners."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.models import Invitation
from accounts.services import invitations
from livestudio.common.admin import OrganizationScopedAdmin


@admin.register(Invitation)
class InvitationAdmin(OrganizationScopedAdmin):
    """Those that can still be accepted."""

    view_permission = edit_permission = "organization.manage"
    list_display = ("email", "role", "organization", "invited_by", "expires_at")
    list_select_related = ("organization", "invited_by")
    list_filter = ("organization",)
    fields = ("organization", "email", "role")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> Any:
        open_ids = Invitation.objects.visible_to(signed_in(request)).open().values("pk")
        return super().get_queryset(request).filter(pk__in=open_ids)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked, so that the audit trail still names it

    @admin.action(description=_("Revoke the chosen invitations"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for invitation in queryset.select_related("organization"):
            invitations.revoke_invitation(invitation=invitation, actor=signed_in(request))
        self.message_user(request, gettext("Their links open nothing from now on."))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        invitation, link = invitations.invite(
            organization=obj.organization,
            email=obj.email,
            role=obj.role,
            actor=signed_in(request),
            base_url=request.build_absolute_uri("/").rstrip("/"),
        )
        obj.pk = invitation.pk
        if settings.MAIL != "sent":
            text = gettext("Pass this link on, it is never shown again: %s") % link
            self.message_user(request, text, messages.WARNING)
