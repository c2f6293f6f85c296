"""Consents of people whose faces and voices are used."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.documents import read_document
from accounts.models import Consent
from accounts.services import consents
from livestudio.common.admin import OneOrganizationForm, OrganizationScopedAdmin
from livestudio.common.errors import InvalidInputError


class ConsentForm(OneOrganizationForm):
    """A consent with the upload of its document."""

    upload = forms.FileField(
        label=_("signed document"),
        required=False,
        help_text=_("PDF, PNG or JPEG. A new one takes the place of the old one."),
    )

    def clean_upload(self) -> Any:
        upload = self.cleaned_data["upload"]
        if upload:
            try:
                read_document(upload)
            except InvalidInputError as error:
                raise forms.ValidationError(error.details[0].message) from error
            upload.seek(0)
        return upload


@admin.register(Consent)
class ConsentAdmin(OrganizationScopedAdmin):
    """Revoked, never deleted: the trail must say what was allowed when."""

    form = ConsentForm
    edit_permission = "organization.manage"
    list_display = ("subject", "scope", "organization", "expires_at", "revoked_at")
    list_filter = ("organization", "scope", "revoked_at")
    search_fields = ("subject",)
    fields = (
        "organization", "subject", "scope", "upload", "file", "is_commercial", "territory",
        "shows", "expires_at", "revoked_at", "revoke_reason",
    )  # fmt: skip
    readonly_fields = ("file", "revoked_at", "revoke_reason")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "subject", "scope") if obj is not None else fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("document"))
    def file(self, consent: Consent) -> str:
        if not consent.document:
            return "–"
        return format_html('<a href="{}">{}</a>', consents.document_url(consent), _("Download"))

    @admin.action(
        description=_("Revoke the chosen consents; what is on air with them ends"),
        permissions=["change"],
    )
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for consent in queryset.select_related("organization"):
            consents.revoke_consent(consent=consent, reason="", actor=signed_in(request))
        self.message_user(request, gettext("Nothing begins with them from now on."))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = signed_in(request)
        names = consents.FIELDS & form.cleaned_data.keys()
        values = {name: form.cleaned_data[name] for name in names}
        if change:
            saved = Consent.objects.for_organization(obj.organization).get(pk=obj.pk)
            consents.update_consent(consent=saved, values=values, actor=actor)
        else:
            saved = consents.create_consent(
                organization=obj.organization, values=values, actor=actor
            )
            obj.pk, obj._state.adding = saved.pk, False
        if upload := form.cleaned_data.get("upload"):
            consents.attach_document(consent=saved, upload=upload, actor=actor)
