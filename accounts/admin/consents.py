"""Consents of people whose faces and voices are used."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.documents import DOCUMENT_MAX_BYTES, read_document
from accounts.hooks import NamedShow
from accounts.models import Consent
from accounts.services import consents
from accounts.services.consents import list_shows
from livestudio.common.admin import OneOrganizationForm, OrganizationScopedAdmin
from livestudio.common.errors import InvalidInputError
from livestudio.common.file_picker import FilePicker


class ConsentForm(OneOrganizationForm):
    """A consent with the upload of its document, and its shows to choose from a list."""

    shows = forms.MultipleChoiceField(
        label=_("only for the shows"),
        required=False,
        widget=FilteredSelectMultiple(_("shows"), is_stacked=False),
        help_text=_("None chosen means: for all shows."),
    )
    upload = forms.FileField(
        label=_("signed document"),
        required=False,
        widget=FilePicker(most_bytes=DOCUMENT_MAX_BYTES),
        help_text=_("PDF, PNG or JPEG. A new one takes the place of the old one."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shows = {show.id: show for show in self._offered_shows()}
        if "shows" in self.fields:
            field: Any = self.fields["shows"]
            field.choices = [(show.id, self._label(show)) for show in self._shows.values()]

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        own_id = getattr(values.get("organization"), "pk", self.instance.organization_id)
        chosen = [self._shows[key] for key in values.get("shows", ())]
        if own_id and any(show.organization.pk != own_id for show in chosen):
            self.add_error("shows", _("Choose shows of the same organization."))
        return values

    def _offered_shows(self) -> list[NamedShow]:
        """Of the organizations that may be chosen; put away ones where they are chosen already."""
        field: Any = self.fields.get("organization")
        rows = list_shows(field.queryset if field else [self.instance.organization])
        return [show for show in rows if not show.is_archived or show.id in self.instance.shows]

    def _label(self, show: NamedShow) -> str:
        is_alone = len({item.organization.pk for item in self._shows.values()}) == 1
        return show.title if is_alone else f"{show.title} · {show.organization}"

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
    readonly_fields = ("file", "show_titles", "revoked_at", "revoke_reason")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look reads the titles of the shows, not their ids."""
        fields = tuple(super().get_fields(request, obj))
        if obj is None:
            return tuple(name for name in fields if name not in self.readonly_fields)
        if self.has_change_permission(request, obj):
            return fields
        return tuple("show_titles" if name == "shows" else name for name in fields)

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

    @admin.display(description=_("only for the shows"))
    def show_titles(self, consent: Consent) -> str:
        titles = [
            row.title for row in list_shows([consent.organization]) if row.id in consent.shows
        ]
        return " · ".join(titles) or gettext("for all shows")

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
