"""Voices and pronunciations in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from inference.catalog import ENGINES
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
)
from livestudio.common.errors import InvalidInputError
from voices import services
from voices.models import Pronunciation, Voice, VoiceFallback
from voices.validators import (
    API_KEY_MAX_CHARACTERS,
    SERVER_ENGINES,
    check_api_key,
    check_voice,
)


class VoiceForm(OneOrganizationForm):
    engine = forms.ChoiceField(
        label=_("engine"),
        choices=[(e.name, f"{e.label_zh} · {e.label_en}") for e in ENGINES if e.kind == "speech"],
    )

    api_key = forms.CharField(
        label=_("API key"),
        required=False,
        max_length=API_KEY_MAX_CHARACTERS,
        strip=False,
        # render_value is off: the page never holds the key, not even after a mistake elsewhere.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep the present one. It is sealed and never shown again."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        try:
            check_api_key(values.get("api_key") or "", engine=values.get("engine", ""))
            check_voice(
                engine=values.get("engine", ""),
                language=values.get("language", ""),
                settings=values.get("settings") or {},
            )
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.partition(".")[0], detail.message)
        if self._needs_key_again(values):
            self.add_error("api_key", _("Give the API key again with a new address."))
        return values

    def _needs_key_again(self, values: dict[str, Any]) -> bool:
        """A key must not follow to a server it was not meant for."""
        if not self.initial.get("settings") or not self.instance.has_api_key:
            return False
        address = self.initial["settings"].get("base_url")
        is_moved = (values.get("settings") or {}).get("base_url") != address
        return is_moved and values.get("engine") in SERVER_ENGINES and not values.get("api_key")


class FallbackInline(OrganizationScopedInline):
    model = VoiceFallback
    fk_name = "voice"
    organization_field = "voice__organization"
    view_permission = "voice.view"
    edit_permission = "voice.edit"


@admin.register(Voice)
class VoiceAdmin(OrganizationScopedAdmin):
    form = VoiceForm
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    fields = ("organization", "name", "engine", "language", "settings", "api_key", "state")
    readonly_fields = ("state",)
    list_display = ("name", "engine", "language", "state", "organization")
    list_filter = ("organization", "engine", "language", "state")
    search_fields = ("name",)
    inlines = (FallbackInline,)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        values = {name: getattr(obj, name) for name in ("name", "engine", "language", "settings")}
        if key := form.cleaned_data.get("api_key"):
            values["api_key"] = key
        if change:
            # As stored: the form has already put its values into `obj`.
            stored = Voice.objects.get(pk=obj.pk)
            services.update_voice(voice=stored, values=values, actor=user)
        else:
            made = services.create_voice(organization=obj.organization, values=values, actor=user)
            obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        services.delete_voice(voice=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for voice in queryset:
            self.delete_model(request, voice)


@admin.register(Pronunciation)
class PronunciationAdmin(OrganizationScopedAdmin):
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    list_display = ("text", "reading", "language", "organization")
    list_filter = ("organization", "language")
    search_fields = ("text",)
