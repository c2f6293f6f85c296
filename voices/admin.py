"""Voices and pronunciations in the admin."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.actor import signed_in
from accounts.models import Consent
from inference.catalog import get_engine
from livestudio.common.admin import (
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    refusal_text,
)
from livestudio.common.buttons import pressed_on
from livestudio.common.errors import DomainError
from livestudio.common.settings_form import settings_text
from voices import pronunciations, services
from voices.access import get_voice_for
from voices.models import Language, Pronunciation, Voice, VoiceFallback
from voices.settings_words import WORDS
from voices.voice_form import (
    PronunciationForm,
    VoiceForm,
    WordFormSet,
    engine_label,
    settings_fieldsets,
)

BASIC_ENGINE: Final = "espeak"
# What the box of the audition holds at first.
SAMPLES: Final[dict[str, str]] = {
    Language.CHINESE: "大家好，欢迎来到我的直播间！今天全场九九折，共 3.5 万件。",
    Language.ENGLISH: "Hello and welcome to the show! Today everything is 20% off.",
}


@never_cache
@pressed_on(lambda voice_id: reverse("admin:voices_voice_change", args=[voice_id]))
def audition_button(request: HttpRequest, voice_id: UUID) -> HttpResponse:
    """A text in this voice as WAV, or why not as JSON."""
    user: Any = request.user
    try:
        voice = get_voice_for(user, voice_id, "voice.view")
        sound = services.preview_voice(voice=voice, text=request.POST.get("text", ""), actor=user)
    except DomainError as error:
        return JsonResponse({"message": refusal_text(error)}, status=error.status)
    return HttpResponse(sound, content_type="audio/wav")


class FallbackInline(OrganizationScopedInline):
    model = VoiceFallback
    fk_name = "voice"
    organization_field = "voice__organization"
    view_permission = "voice.view"
    edit_permission = "voice.edit"


class WordInline(OrganizationScopedInline):
    """The words that this voice alone reads in its own way."""

    model = Pronunciation
    form = PronunciationForm
    formset = WordFormSet
    fields = ("text", "reading")
    verbose_name_plural = _("words that only this voice reads so")
    view_permission = "voice.view"
    edit_permission = "voice.edit"


@admin.register(Voice)
class VoiceAdmin(OrganizationScopedAdmin):
    form = VoiceForm
    looks_ahead = True
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    readonly_fields = ("state", "settings_summary")
    list_display = ("name", "engine_label", "language", "state", "organization")
    list_filter = ("organization", "engine", "language", "state")
    search_fields = ("name",)
    inlines = (FallbackInline, WordInline)
    change_form_template = "voices/admin/voice_form.html"
    change_list_template = "voices/admin/voice_list.html"

    @admin.display(description=_("engine"), ordering="engine")
    def engine_label(self, voice: Voice) -> str:
        try:
            return engine_label(get_engine("speech", voice.engine))
        except LookupError:
            return str(voice.engine)

    @admin.display(description=_("settings"))
    def settings_summary(self, voice: Voice) -> str:
        return settings_text(voice.settings, WORDS, voice.engine)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look reads the settings in one line."""
        what = ("organization", "name", "language", "engine")
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": (*what, "settings_summary", "consent", "state")}),)
        end = (None, {"fields": ("consent", "state")})
        return ((None, {"fields": what}), *settings_fieldsets(), end)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "consent":
            rows = Consent.objects.visible_to(signed_in(request))
            kwargs["queryset"] = rows.exclude(scope=Consent.Scope.FACE)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(audition_button)
        route = path("<uuid:voice_id>/audition/", view, name="voices_voice_audition")
        return [route, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        voice = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "sample": SAMPLES.get(getattr(voice, "language", ""), ""),
            "is_basic": getattr(voice, "engine", "") == BASIC_ENGINE,
            "preview_max": services.PREVIEW_MAX_CHARACTERS,
        }
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        extra = kwargs.get("extra_context") or {}
        voices = self.get_queryset(request)
        is_basic = voices.exists() and not voices.exclude(engine=BASIC_ENGINE).exists()
        kwargs["extra_context"] = {**extra, "only_basic_voices": is_basic}
        return super().changelist_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        names = ("name", "engine", "language", "settings", "consent")
        values = {name: getattr(obj, name) for name in names}
        if key := form.cleaned_data.get("api_key"):
            values["api_key"] = key
        if change:
            # As stored: the form has already put its values into `obj`.
            stored = Voice.objects.for_organization(obj.organization).get(pk=obj.pk)
            services.update_voice(voice=stored, values=values, actor=user)
        else:
            made = services.create_voice(organization=obj.organization, values=values, actor=user)
            obj.pk, obj._state.adding = made.pk, False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.actor = request.user
        super().save_formset(request, form, formset, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        services.delete_voice(voice=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for voice in queryset:
            self.delete_model(request, voice)


@admin.register(Pronunciation)
class PronunciationAdmin(OrganizationScopedAdmin):
    form = PronunciationForm
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    fields = ("organization", "language", "text", "reading", "voice")
    list_display = ("text", "reading", "language", "voice", "organization")
    list_filter = ("organization", "language", "voice")
    list_select_related = ("voice", "organization")
    search_fields = ("text", "reading")
    change_list_template = "voices/admin/pronunciation_list.html"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        values = {name: getattr(obj, name) for name in ("language", "voice", "text", "reading")}
        if change:
            stored = Pronunciation.objects.for_organization(obj.organization).get(pk=obj.pk)
            pronunciations.update_pronunciation(row=stored, values=values, actor=user)
        else:
            made = pronunciations.create_pronunciation(
                organization=obj.organization, values=values, actor=user
            )
            obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        pronunciations.delete_pronunciation(row=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)
