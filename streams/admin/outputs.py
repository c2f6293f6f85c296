"""Outputs: the stream key goes into a password field that is never filled again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from livestudio.common.admin import OneOrganizationForm, OrganizationScopedAdmin
from livestudio.common.errors import DomainError
from streams.admin.form_errors import with_form_errors
from streams.models import Output
from streams.models.output import STREAM_KEY_MAX_CHARACTERS
from streams.services.outputs import (
    check_address,
    create_output,
    delete_output,
    require_key,
    update_output,
)


class OutputForm(OneOrganizationForm):
    """The fields of an output besides its key, which is only taken in."""

    stream_key = forms.CharField(
        label=_("stream key"),
        required=False,
        max_length=STREAM_KEY_MAX_CHARACTERS,
        strip=False,
        # render_value is off: the page never holds the key, not even after a mistake elsewhere.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep the present one. It is sealed and never shown again."),
    )

    def clean_stream_key(self) -> str:
        key: str = self.cleaned_data["stream_key"]
        if key:
            with_form_errors(self, lambda: require_key(key))
        return key

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if not self.errors:
            self._check_address()

    def _check_address(self) -> None:
        try:
            check_address(self.instance)
        except DomainError as error:
            self.add_error("url", error.message)
        moved = "url" in self.changed_data and self.instance.sealed_stream_key
        if moved and not self.cleaned_data.get("stream_key"):
            self.add_error("stream_key", _("Give the stream key again with a new address."))


@admin.register(Output)
class OutputAdmin(OrganizationScopedAdmin):
    form = OutputForm
    looks_ahead = True
    view_permission = "output.view"
    edit_permission = "output.edit"
    fields = (
        "organization", "name", "kind", "url", "stream_key", "key_ends_in", "key_per_broadcast",
    )  # fmt: skip
    readonly_fields = ("key_ends_in",)
    list_display = ("name", "kind", "url", "key_ends_in", "key_per_broadcast", "organization")
    list_filter = ("organization", "kind")
    search_fields = ("name",)

    @admin.display(description=_("key"))
    def key_ends_in(self, output: Output) -> str:
        if not output.sealed_stream_key:
            return "-"
        return f"…{output.key_hint}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = ("name", "kind", "url", "key_per_broadcast")
        values = {name: form.cleaned_data[name] for name in names if name in form.cleaned_data}
        key = form.cleaned_data.get("stream_key") or ""
        if change:
            stored = Output.objects.for_organization(obj.organization).get(pk=obj.pk)
            update_output(
                output=stored, values=values, stream_key=key or None, actor=signed_in(request)
            )
            return
        made = create_output(
            organization=obj.organization, values=values, stream_key=key, actor=signed_in(request)
        )
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_output(output=obj, actor=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for output in queryset:
            delete_output(output=output, actor=signed_in(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Airings keep the name and lose only the reference, so nothing else goes."""
        return [str(output) for output in objs], {}, set(), []
